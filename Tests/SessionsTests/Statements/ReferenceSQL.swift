import Sessions

/// A second reading of SQL text for `SQLScan` to be compared with: slow, rule by rule, with whole lists of tokens.
struct ReferenceSQL {
    enum Token: Equatable {
        case word(String)
        case quoted([UInt8])
        case unicode
        case string
        case sign(Character)

        var keyword: String? { if case .word(let text) = self { text } else { nil } }
    }

    var tokens: [Token] = []
    var isUnfinished = false
    private var rest: ArraySlice<UInt8>
    private let isBackslashPlain: Bool

    init(_ text: [UInt8], standardConformingStrings: Bool) {
        self.rest = text[...]
        self.isBackslashPlain = standardConformingStrings
        while !self.rest.isEmpty, !self.isUnfinished { self.step() }
    }

    private mutating func step() {
        let letters = String(decoding: self.rest.prefix(3), as: UTF8.self).lowercased()
        if self.skip("--") {
            while let next = self.rest.first, next != 10, next != 13 { self.rest.removeFirst() }
        } else if self.skip("/*") {
            self.comment()
        } else if letters.hasPrefix("e'") {
            self.rest.removeFirst(2)
            self.string(takesBackslash: true)
        } else if letters.hasPrefix("x'") || letters.hasPrefix("b'") || letters.hasPrefix("u&'") {
            self.rest.removeFirst(letters.hasPrefix("u") ? 3 : 2)
            self.string(takesBackslash: false)
        } else if self.skip("'") {
            self.string(takesBackslash: !self.isBackslashPlain)
        } else if letters.hasPrefix("u&\"") {
            self.rest.removeFirst(3)
            if self.quoted() != nil { self.tokens.append(.unicode) }
        } else if self.skip("\"") {
            if let name = self.quoted() { self.tokens.append(.quoted(name)) }
        } else {
            self.plain()
        }
    }

    private mutating func plain() {
        guard let first = self.rest.first else { return }
        if [9, 10, 11, 12, 13, 32].contains(first) {
            self.rest.removeFirst()
        } else if Self.isLetter(first) {
            let word = self.rest.prefix { Self.isLetter($0) || Self.isDigit($0) || $0 == UInt8(ascii: "$") }
            self.rest = self.rest.dropFirst(word.count)
            self.tokens.append(.word(String(decoding: word.map(Self.lower), as: UTF8.self)))
        } else if Self.isDigit(first) {
            self.rest = self.rest.drop(while: Self.isDigit)
            _ = self.skip(".")
            self.tokens.append(.sign("0"))
        } else if first == UInt8(ascii: "$") {
            self.dollar()
        } else {
            self.rest.removeFirst()
            self.tokens.append(.sign(Character(UnicodeScalar(first))))
        }
    }

    private mutating func dollar() {
        self.rest.removeFirst()
        let digits = self.rest.prefix(while: Self.isDigit)
        let tag = self.rest.prefix { Self.isLetter($0) || Self.isDigit($0) }
        self.tokens.append(.sign("$"))
        if !digits.isEmpty {
            self.rest = self.rest.dropFirst(digits.count)
        } else if self.rest.dropFirst(tag.count).first == UInt8(ascii: "$") {
            self.rest = self.rest.dropFirst(tag.count + 1)
            let closing = [UInt8(ascii: "$")] + tag + [UInt8(ascii: "$")]
            while !self.rest.starts(with: closing), !self.rest.isEmpty { self.rest.removeFirst() }
            if self.rest.isEmpty { self.isUnfinished = true }
            self.rest = self.rest.dropFirst(closing.count)
            self.tokens[self.tokens.count - 1] = .string
        }
    }

    private mutating func comment() {
        while !self.rest.isEmpty, !self.isUnfinished {
            if self.skip("*/") { return }
            if self.skip("/*") { self.comment() } else { self.rest.removeFirst() }
        }
        self.isUnfinished = true
    }

    private mutating func quoted() -> [UInt8]? {
        var name: [UInt8] = []
        while let next = self.rest.first {
            if self.skip("\"\"") {
                name.append(next)
            } else if self.skip("\"") {
                return name
            } else {
                name.append(self.rest.removeFirst())
            }
        }
        self.isUnfinished = true
        return nil
    }

    private mutating func string(takesBackslash: Bool) {
        while let next = self.rest.first {
            if takesBackslash, next == UInt8(ascii: "\\") {
                self.rest = self.rest.dropFirst(2)
            } else if self.skip("''") {
                continue
            } else if self.skip("'") {
                guard let continuation = self.continuation() else { return self.tokens.append(.string) }
                self.rest = continuation
            } else {
                self.rest.removeFirst()
            }
        }
        self.isUnfinished = true
    }

    /// What follows the opening quote of a constant that goes on behind a line end.
    private func continuation() -> ArraySlice<UInt8>? {
        var rest = self.rest
        var gap: [UInt8] = []
        while let next = rest.first {
            if rest.starts(with: "--".utf8) {
                rest = rest.drop { $0 != 10 && $0 != 13 }
            } else if [9, 10, 11, 12, 13, 32].contains(next) {
                gap.append(rest.removeFirst())
            } else {
                break
            }
        }
        guard rest.first == UInt8(ascii: "'"), gap.contains(10) || gap.contains(13) else { return nil }
        return rest.dropFirst()
    }

    private mutating func skip(_ text: String) -> Bool {
        guard self.rest.starts(with: text.utf8) else { return false }
        self.rest = self.rest.dropFirst(text.utf8.count)
        return true
    }

    static func isLetter(_ byte: UInt8) -> Bool {
        byte >= 0x80 || byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(Self.lower(byte))
    }

    static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    static func lower(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte + 32 : byte
    }
}
