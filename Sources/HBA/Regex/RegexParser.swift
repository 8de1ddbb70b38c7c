/// Reads PostgreSQL's advanced regular expressions (ARE). Back references, look-around, collating elements and the
/// options of newline and expanded syntax are refused.
struct RegexParser {
    /// Parentheses inside parentheses; the work on the tree is recursive.
    private static let deepestNesting = 100
    private static let maximumGroups = 100

    let pattern: [UInt32]
    var position = 0
    var ignoresCase = false
    private var depth = 0
    private var groups = 0

    init(_ pattern: String) {
        self.pattern = pattern.unicodeScalars.map(\.value)
    }

    mutating func parse() throws(RegexError) -> RegexNode {
        if self.take("***=") {
            let rest = self.pattern[self.position...]
            return .concatenation(rest.map { .set(RegexSet([$0...$0])) })
        }
        _ = self.take("***:")
        try self.readOptions()
        let node = try self.alternation()
        guard self.position == self.pattern.count else { throw self.error("a closing parenthesis without its opening") }
        return node
    }

    /// `(?i)` and its like at the very beginning.
    private mutating func readOptions() throws(RegexError) {
        let start = self.position
        guard self.take("(?"), let first = self.peek(), Self.isLetter(first) else {
            self.position = start
            return
        }
        while !self.take(")") {
            // An expression that is nothing but the beginning of its options would match everybody.
            guard let letter = self.next() else { throw self.error("an embedded option without its closing") }
            switch letter {
            case Self.code("i"): self.ignoresCase = true
            case Self.code("c"): self.ignoresCase = false
            case Self.code("s"), Self.code("t"): break
            default: throw self.error("an embedded option other than c, i, s and t is not supported")
            }
        }
    }

    private mutating func alternation() throws(RegexError) -> RegexNode {
        var branches = [try self.branch()]
        while self.take("|") {
            branches.append(try self.branch())
        }
        return branches.count == 1 ? branches[0] : .alternation(branches)
    }

    private mutating func branch() throws(RegexError) -> RegexNode {
        var pieces: [RegexNode] = []
        self.skipComments()
        while let scalar = self.peek(), scalar != Self.code("|"), scalar != Self.code(")") {
            let atom = try self.atom()
            self.skipComments()
            if case .assertion = atom {
                pieces.append(atom)
            } else if let quantifier = try self.quantifier() {
                pieces.append(.repetition(atom, quantifier))
            } else {
                pieces.append(atom)
            }
            self.skipComments()
        }
        return pieces.isEmpty ? .empty : .concatenation(pieces)
    }

    /// `(?#text)`; without its end it goes to the end of the expression, as in PostgreSQL.
    private mutating func skipComments() {
        while self.take("(?#") {
            while let scalar = self.next(), scalar != Self.code(")") {}
        }
    }

    private mutating func atom() throws(RegexError) -> RegexNode {
        guard let scalar = self.next() else { return .empty }
        switch scalar {
        case Self.code("("): return try self.parenthesis()
        case Self.code("["): return try self.bracket()
        case Self.code("\\"): return try self.escape()
        case Self.code("."): return .set(.any)
        case Self.code("^"): return .assertion(.textStart)
        case Self.code("$"): return .assertion(.textEnd)
        case Self.code("*"), Self.code("+"), Self.code("?"):
            throw self.error("a quantifier with nothing to repeat")
        case Self.code("{") where self.peek().map(Self.isDigit) == true:
            throw self.error("a quantifier with nothing to repeat")
        default: return self.literal(scalar)
        }
    }

    private mutating func parenthesis() throws(RegexError) -> RegexNode {
        for (text, name) in [("?=", "look-ahead"), ("?!", "look-ahead"), ("?<", "look-behind")] where self.take(text) {
            throw self.error("\(name) is not supported")
        }
        let isCapturing = !self.take("?:")
        guard !isCapturing || self.peek() != Self.code("?") else {
            throw self.error("a parenthesis and a question mark in a place where they mean nothing")
        }
        self.groups += isCapturing ? 1 : 0
        self.depth += 1
        guard self.depth <= Self.deepestNesting, self.groups <= Self.maximumGroups else {
            throw self.error("more than \(Self.deepestNesting) parentheses")
        }
        let isFirst = isCapturing && self.groups == 1
        let inner = try self.alternation()
        guard self.take(")") else { throw self.error("an opening parenthesis without its closing") }
        self.depth -= 1
        return isCapturing ? .group(inner, isFirst: isFirst) : inner
    }

    /// What repeats the atom before, if anything does. A second one at once is an error, as in PostgreSQL.
    private mutating func quantifier() throws(RegexError) -> RegexQuantifier? {
        let minimum: Int
        let maximum: Int?
        var isFixed = false
        if self.take("*") {
            (minimum, maximum) = (0, nil)
        } else if self.take("+") {
            (minimum, maximum) = (1, nil)
        } else if self.take("?") {
            (minimum, maximum) = (0, 1)
        } else if self.peek() == Self.code("{"), self.peek(1).map(Self.isDigit) == true {
            self.position += 1
            minimum = try self.bound()
            if self.take(",") {
                maximum = self.peek().map(Self.isDigit) == true ? try self.bound() : nil
            } else {
                isFixed = true
                maximum = minimum
            }
            guard self.take("}"), maximum.map({ $0 >= minimum }) ?? true else {
                throw self.error("bounds are written {m}, {m,} or {m,n}")
            }
        } else {
            return nil
        }
        let isReluctant = self.take("?")
        return RegexQuantifier(
            minimum: minimum,
            maximum: maximum,
            preference: isFixed ? .inherited : isReluctant ? .shorter : .longer
        )
    }

    private mutating func bound() throws(RegexError) -> Int {
        var value = 0
        while let digit = self.peek(), Self.isDigit(digit) {
            value = value * 10 + Int(digit - Self.code("0"))
            self.position += 1
            guard value <= RegexQuantifier.largestBound else {
                throw self.error("a bound above \(RegexQuantifier.largestBound)")
            }
        }
        return value
    }

    // MARK: Characters

    func literal(_ scalar: UInt32) -> RegexNode { .set(self.cased(RegexSet([scalar...scalar]))) }

    func cased(_ set: RegexSet) -> RegexSet { self.ignoresCase ? set.ignoringCase : set }

    func error(_ reason: String) -> RegexError { RegexError(reason: reason, offset: self.position) }

    func peek(_ distance: Int = 0) -> UInt32? {
        let index = self.position + distance
        return index < self.pattern.count ? self.pattern[index] : nil
    }

    mutating func next() -> UInt32? {
        guard let scalar = self.peek() else { return nil }
        self.position += 1
        return scalar
    }

    /// Takes the text if it comes next.
    mutating func take(_ text: String) -> Bool {
        var distance = 0
        for scalar in text.unicodeScalars {
            guard self.peek(distance) == scalar.value else { return false }
            distance += 1
        }
        self.position += distance
        return true
    }

    static func code(_ scalar: Unicode.Scalar) -> UInt32 { scalar.value }
    static func isDigit(_ scalar: UInt32) -> Bool { (0x30...0x39).contains(scalar) }

    static func isLetter(_ scalar: UInt32) -> Bool {
        (0x41...0x5a).contains(scalar) || (0x61...0x7a).contains(scalar)
    }
}
