extension RegexParser {
    /// What a backslash and the characters behind it say.
    enum Escape {
        case scalar(UInt32)
        case set(RegexSet)
        case assertion(RegexAssertion)
    }

    /// Behind a backslash outside of brackets.
    mutating func escape() throws(RegexError) -> RegexNode {
        switch try self.readEscape() {
        case .scalar(let scalar): self.literal(scalar)
        case .set(let set): .set(set)
        case .assertion(let assertion): .assertion(assertion)
        }
    }

    mutating func readEscape() throws(RegexError) -> Escape {
        guard let scalar = self.next() else { throw self.error("a backslash at the end") }
        guard Self.isLetter(scalar) || Self.isDigit(scalar) else { return .scalar(scalar) }
        guard let letter = Unicode.Scalar(scalar) else { throw self.error("an unknown escape") }
        switch letter {
        case "d": return .set(.digit)
        case "D": return .set(RegexSet.digit.complement)
        case "s": return .set(.space)
        case "S": return .set(RegexSet.space.complement)
        case "w": return .set(.word)
        case "W": return .set(RegexSet.word.complement)
        case "A": return .assertion(.textStart)
        case "Z": return .assertion(.textEnd)
        case "m": return .assertion(.wordStart)
        case "M": return .assertion(.wordEnd)
        case "y": return .assertion(.wordBoundary)
        case "Y": return .assertion(.notWordBoundary)
        case "1"..."9": throw self.error("a back reference is not supported")
        default: return .scalar(try self.namedScalar(letter))
        }
    }

    private mutating func namedScalar(_ letter: Unicode.Scalar) throws(RegexError) -> UInt32 {
        switch letter {
        case "a": return 0x07
        case "b": return 0x08
        case "B": return 0x5c
        case "e": return 0x1b
        case "f": return 0x0c
        case "n": return 0x0a
        case "r": return 0x0d
        case "t": return 0x09
        case "v": return 0x0b
        case "c":
            guard let control = self.next() else { throw self.error("\\c without a character") }
            return control & 0x1f
        case "0": return try self.number(radix: 8, digits: 0...2)
        case "u": return try self.number(radix: 16, digits: 4...4)
        case "U": return try self.number(radix: 16, digits: 8...8)
        case "x": return try self.number(radix: 16, digits: 1...255)
        default: throw self.error("an unknown escape \\\(letter)")
        }
    }

    private mutating func number(radix: UInt32, digits: ClosedRange<Int>) throws(RegexError) -> UInt32 {
        var value: UInt32 = 0
        var count = 0
        while count < digits.upperBound, let scalar = self.peek(), let digit = Self.digit(scalar), digit < radix {
            guard value <= RegexSet.largestScalar else { break }
            value = value * radix + digit
            count += 1
            self.position += 1
        }
        guard count >= digits.lowerBound else { throw self.error("an escape with too few digits") }
        guard Unicode.Scalar(value) != nil else { throw self.error("an escape that is no Unicode character") }
        return value
    }

    private static func digit(_ scalar: UInt32) -> UInt32? {
        switch scalar {
        case 0x30...0x39: scalar - 0x30
        case 0x41...0x46: scalar - 0x41 + 10
        case 0x61...0x66: scalar - 0x61 + 10
        default: nil
        }
    }

    // MARK: Brackets

    /// Behind an opening bracket.
    mutating func bracket() throws(RegexError) -> RegexNode {
        if self.take("[:<:]]") { return .assertion(.wordStart) }
        if self.take("[:>:]]") { return .assertion(.wordEnd) }
        let isNegated = self.take("^")
        var ranges: [ClosedRange<UInt32>] = []
        var isFirst = true
        while isFirst || self.peek() != Self.code("]") {
            ranges += try self.bracketElement(isFirst: isFirst)
            isFirst = false
        }
        self.position += 1
        let set = self.cased(RegexSet(ranges))
        return .set(isNegated ? set.complement : set)
    }

    /// A class, a character, or a range of characters.
    private mutating func bracketElement(isFirst: Bool) throws(RegexError) -> [ClosedRange<UInt32>] {
        if self.take("[:") { return try self.namedClass().ranges }
        // A minus sign is itself at the beginning and at the end only.
        if self.peek() == Self.code("-"), !isFirst, self.peek(1) != Self.code("]") {
            throw self.error("a minus sign that belongs to no range")
        }
        let lower: UInt32
        switch try self.bracketCharacter() {
        case .scalar(let scalar): lower = scalar
        case .set(let set): return set.ranges
        case .assertion: throw self.error("a constraint inside brackets")
        }
        guard self.peek() == Self.code("-"), let behind = self.peek(1), behind != Self.code("]") else {
            return [lower...lower]
        }
        self.position += 1
        guard case .scalar(let upper) = try self.bracketCharacter(), lower <= upper else {
            throw self.error("a range whose ends are not two characters in order")
        }
        return [lower...upper]
    }

    private mutating func bracketCharacter() throws(RegexError) -> Escape {
        if self.take("[.") || self.take("[=") { throw self.error("a collating element is not supported") }
        if self.peek() == Self.code("["), self.peek(1) == Self.code(":") {
            throw self.error("a character class as the end of a range")
        }
        guard let scalar = self.next() else { throw self.error("an opening bracket without its closing") }
        return scalar == Self.code("\\") ? try self.readEscape() : .scalar(scalar)
    }

    private mutating func namedClass() throws(RegexError) -> RegexSet {
        var name = ""
        while let scalar = self.peek(), Self.isLetter(scalar), let letter = Unicode.Scalar(scalar) {
            name.unicodeScalars.append(letter)
            self.position += 1
        }
        guard self.take(":]"), let set = RegexSet(className: name) else {
            throw self.error("an unknown character class")
        }
        return set
    }
}
