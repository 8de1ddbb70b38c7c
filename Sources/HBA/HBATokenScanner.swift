/// Cuts one logical line into columns and words; the heart of ``HBALexer``.
struct HBATokenScanner {
    /// Why the line cannot be cut into words.
    struct Problem {
        let offset: Int
        let reason: String
        let hint: String?
    }

    /// The first problem; after it there are no more columns.
    private(set) var problem: Problem?

    private let source: HBASourceLine
    private let line: LogicalLine
    private var position = 0

    init(source: HBASourceLine) {
        self.source = source
        self.line = source.text
    }

    /// The words of the next column, at least one; `nil` at the end of the line or after a problem.
    mutating func nextField() -> [HBAToken]? {
        var tokens: [HBAToken] = []
        var endsWithComma = true
        while endsWithComma, self.problem == nil {
            endsWithComma = false
            if let token = self.nextToken(endsWithComma: &endsWithComma) {
                tokens.append(token)
            }
        }
        return tokens.isEmpty || self.problem != nil ? nil : tokens
    }

    /// Skips blanks and commas, then takes one word. `endsWithComma` tells that the column goes on.
    private mutating func nextToken(endsWithComma: inout Bool) -> HBAToken? {
        while let byte = self.peek(), Self.isBlank(byte) || byte == UInt8(ascii: ",") {
            self.position += 1
        }
        let start = self.position
        var word = Word()
        while let byte = self.peek(), word.isOpen || !Self.isBlank(byte) {
            if !word.isOpen, byte == UInt8(ascii: "#") {
                self.position = self.line.bytes.count
                return self.finish(word, from: start, to: start + word.length)
            }
            self.position += 1
            if !word.isOpen, byte == UInt8(ascii: ",") {
                endsWithComma = true
                return self.finish(word, from: start, to: self.position - 1)
            }
            word.take(byte)
        }
        return self.finish(word, from: start, to: self.position)
    }

    private mutating func finish(_ word: Word, from start: Int, to end: Int) -> HBAToken? {
        guard !word.isOpen else {
            self.problem = Problem(
                offset: start + word.lastQuote,
                reason: "double quote without a closing one",
                hint: "a quoted name ends in the line it starts in"
            )
            return nil
        }
        guard end > start else { return nil }
        guard let text = String(validating: word.bytes, as: UTF8.self) else {
            self.problem = Problem(offset: start, reason: "the word is not UTF-8", hint: nil)
            return nil
        }
        if !word.hasQuotes, let scalar = text.unicodeScalars.first(where: \.isDeceptive) {
            let offset = text.utf8.distance(
                from: text.startIndex,
                to: text.unicodeScalars.firstIndex(of: scalar) ?? text.startIndex
            )
            self.problem = Problem(
                offset: start + offset,
                reason: "character \(scalar.codePoint) looks like a blank or a quote but is neither",
                hint: "put the name in double quotes if the character is meant"
            )
            return nil
        }
        return HBAToken(
            text: text,
            isQuoted: word.beginsWithQuote,
            hasInnerQuotes: word.hasQuotes && !word.beginsWithQuote,
            range: start..<end,
            source: self.source
        )
    }

    private func peek() -> UInt8? {
        self.position < self.line.bytes.count ? self.line.bytes[self.position] : nil
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }

    /// A word while it is read.
    private struct Word {
        private(set) var bytes: [UInt8] = []
        /// Inside double quotes.
        private(set) var isOpen = false
        private(set) var hasQuotes = false
        private(set) var beginsWithQuote = false
        /// Bytes read, quotes included.
        private(set) var length = 0
        /// The offset of the quote read last.
        private(set) var lastQuote = 0
        /// The byte before was a quote that closed: a further quote at once makes it a literal one.
        private var justClosed = false

        mutating func take(_ byte: UInt8) {
            defer { self.length += 1 }
            guard byte == UInt8(ascii: "\"") else {
                self.bytes.append(byte)
                self.justClosed = false
                return
            }
            if self.justClosed {
                self.bytes.append(byte)
            } else if self.bytes.isEmpty {
                self.beginsWithQuote = true
            }
            self.justClosed = self.isOpen
            self.isOpen.toggle()
            self.hasQuotes = true
            self.lastQuote = self.length
        }
    }
}
