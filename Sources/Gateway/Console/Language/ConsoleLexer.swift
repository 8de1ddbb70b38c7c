/// Cuts the text of a Query or Parse message into statements, and each into tokens, by the lexical rules of PostgreSQL
/// (chapter "Lexical Structure") as far as console commands need them: quotes, `--` and nested `/* */` comments, `;`.
/// A value that lives for one text.
struct ConsoleLexer {
    private let bytes: [UInt8]
    private var position = 0

    private init(_ text: String) {
        self.bytes = Array(text.utf8)
    }

    /// The statements of `text` without the empty ones. Throws 42601 for an open quote or comment.
    static func statements(of text: String) throws(ConsoleError) -> [[ConsoleToken]] {
        var lexer = Self(text)
        var statements: [[ConsoleToken]] = []
        var statement: [ConsoleToken] = []
        while let token = try lexer.next() {
            guard token.isSign(";") else {
                statement.append(token)
                continue
            }
            if !statement.isEmpty { statements.append(statement) }
            statement = []
        }
        if !statement.isEmpty { statements.append(statement) }
        return statements
    }

    private func byte(ahead count: Int = 0) -> UInt8? {
        let index = self.position + count
        return index < self.bytes.count ? self.bytes[index] : nil
    }

    private mutating func next() throws(ConsoleError) -> ConsoleToken? {
        try self.skipBlanksAndComments()
        guard let first = self.byte() else { return nil }
        switch first {
        case UInt8(ascii: "'"):
            return ConsoleToken(kind: .string, text: try self.quoted(by: first, called: "quoted string"))
        case UInt8(ascii: "\""):
            return ConsoleToken(kind: .identifier, text: try self.quoted(by: first, called: "quoted identifier"))
        case _ where Self.isWordByte(first):
            let start = self.position
            while let byte = self.byte(), Self.isWordByte(byte) { self.position += 1 }
            return ConsoleToken(kind: .word, text: String(decoding: self.bytes[start..<self.position], as: UTF8.self))
        default:
            self.position += 1
            return ConsoleToken(kind: .sign, text: String(decoding: [first], as: UTF8.self))
        }
    }

    private mutating func skipBlanksAndComments() throws(ConsoleError) {
        while let byte = self.byte() {
            if Self.isBlank(byte) {
                self.position += 1
            } else if byte == UInt8(ascii: "-"), self.byte(ahead: 1) == byte {
                while let byte = self.byte(), byte != UInt8(ascii: "\n"), byte != UInt8(ascii: "\r") {
                    self.position += 1
                }
            } else if byte == UInt8(ascii: "/"), self.byte(ahead: 1) == UInt8(ascii: "*") {
                try self.skipBlockComment()
            } else {
                return
            }
        }
    }

    /// Stands at `/*`. Such comments nest; the depth is only counted, so a hostile text costs no stack.
    private mutating func skipBlockComment() throws(ConsoleError) {
        var depth = 0
        while let byte = self.byte() {
            let following = self.byte(ahead: 1)
            if byte == UInt8(ascii: "/"), following == UInt8(ascii: "*") {
                depth += 1
                self.position += 2
            } else if byte == UInt8(ascii: "*"), following == UInt8(ascii: "/") {
                depth -= 1
                self.position += 2
                if depth == 0 { return }
            } else {
                self.position += 1
            }
        }
        throw .unterminated("/* comment")
    }

    /// Stands at the opening quote. A doubled quote inside stands for one.
    private mutating func quoted(by quote: UInt8, called what: String) throws(ConsoleError) -> String {
        var content: [UInt8] = []
        self.position += 1
        while let byte = self.byte() {
            self.position += 1
            if byte == quote {
                guard self.byte() == quote else { return String(decoding: content, as: UTF8.self) }
                self.position += 1
            }
            content.append(byte)
        }
        throw .unterminated(what)
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || (0x09...0x0d).contains(byte)
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), 0x80...:
            true
        default:
            false
        }
    }
}
