/// A set of characters (Unicode scalars), as ranges that are sorted and do not touch.
struct RegexSet: Sendable {
    static let largestScalar: UInt32 = 0x10ffff

    let ranges: [ClosedRange<UInt32>]

    /// Every character, line ends among them.
    static let any = RegexSet([0...RegexSet.largestScalar])

    init(_ ranges: [ClosedRange<UInt32>]) {
        var merged: [ClosedRange<UInt32>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound &+ 1 {
                merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        self.ranges = merged
    }

    var complement: RegexSet {
        var result: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in self.ranges {
            if range.lowerBound > next { result.append(next...range.lowerBound - 1) }
            next = range.upperBound + 1
        }
        if next <= Self.largestScalar { result.append(next...Self.largestScalar) }
        return RegexSet(result)
    }

    /// With the other case of every ASCII letter. PostgreSQL's rules compile under the C collation, where other letters
    /// have no case.
    var ignoringCase: RegexSet {
        var result = self.ranges
        for range in self.ranges {
            if let upper = Self.shifted(range, from: 0x41...0x5a, by: 32) { result.append(upper) }
            if let lower = Self.shifted(range, from: 0x61...0x7a, by: -32) { result.append(lower) }
        }
        return RegexSet(result)
    }

    func contains(_ scalar: UInt32) -> Bool {
        var low = 0
        var high = self.ranges.count
        while low < high {
            let middle = (low + high) / 2
            let range = self.ranges[middle]
            if scalar < range.lowerBound {
                high = middle
            } else if scalar > range.upperBound {
                low = middle + 1
            } else {
                return true
            }
        }
        return false
    }

    private static func shifted(
        _ range: ClosedRange<UInt32>,
        from letters: ClosedRange<UInt32>,
        by distance: Int32
    ) -> ClosedRange<UInt32>? {
        guard range.overlaps(letters) else { return nil }
        let part = range.clamped(to: letters)
        return UInt32(Int32(part.lowerBound) + distance)...UInt32(Int32(part.upperBound) + distance)
    }
}

extension RegexSet {
    /// `[[:name:]]` under the C collation: ASCII only. `nil` for an unknown name.
    init?(className: String) {
        switch className {
        case "alnum": self.init([0x30...0x39, 0x41...0x5a, 0x61...0x7a])
        case "alpha": self.init([0x41...0x5a, 0x61...0x7a])
        case "ascii": self.init([0...0x7f])
        case "blank": self.init([0x09...0x09, 0x20...0x20])
        case "cntrl": self.init([0...0x1f, 0x7f...0x7f])
        case "digit": self.init([0x30...0x39])
        case "graph": self.init([0x21...0x7e])
        case "lower": self.init([0x61...0x7a])
        case "print": self.init([0x20...0x7e])
        case "punct": self.init([0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e])
        case "space": self.init([0x09...0x0d, 0x20...0x20])
        case "upper": self.init([0x41...0x5a])
        case "word": self = .word
        case "xdigit": self.init([0x30...0x39, 0x41...0x46, 0x61...0x66])
        default: return nil
        }
    }

    static let word = RegexSet([0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a])
    static let digit = RegexSet([0x30...0x39])
    static let space = RegexSet([0x09...0x0d, 0x20...0x20])

    static func isWord(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x30...0x39, 0x41...0x5a, 0x5f, 0x61...0x7a: true
        default: false
        }
    }
}
