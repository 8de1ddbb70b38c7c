/// Cuts a policy text into logical lines, columns and words, by the rules of PostgreSQL's tokenizer: words are divided
/// by blanks, lists by commas (a comma at a word's end lets blanks follow), `#` starts a comment anywhere outside
/// quotes, two double quotes inside quotes are one, a backslash at a line's end joins the next line even in a comment
/// or in quotes.
///
/// Stricter than PostgreSQL where a typo could hide: an open quote, a carriage return inside a line, and invisible
/// characters outside quotes are errors. A value used by one thread during one load.
struct HBALexer {
    /// A line that has at least one column, or why one cannot be cut.
    enum Entry {
        case line(HBALine)
        case refused(HBAError)
    }

    private var entries: [Entry] = []

    private let file: String
    private let bytes: [UInt8]

    private init(bytes: [UInt8], file: String) {
        self.file = file
        self.bytes = bytes
    }

    /// Reads a whole text.
    static func entries(of bytes: [UInt8], file: String) -> [Entry] {
        var lexer = HBALexer(bytes: bytes, file: file)
        lexer.run()
        return lexer.entries
    }

    private mutating func run() {
        let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
        var rest = self.bytes.starts(with: byteOrderMark) ? self.bytes.dropFirst(3) : self.bytes[...]
        var number = 1
        while !rest.isEmpty {
            var line = LogicalLine(number: number)
            var isContinued = true
            while isContinued, !rest.isEmpty {
                let end = rest.firstIndex(of: UInt8(ascii: "\n"))
                isContinued = line.append(rest[..<(end ?? rest.endIndex)], number: number)
                rest = end.map { rest[($0 + 1)...] } ?? rest[rest.endIndex...]
                number += 1
            }
            self.read(line)
        }
    }

    private mutating func read(_ line: LogicalLine) {
        if let offset = line.bytes.firstIndex(where: { $0 == 0 || $0 == UInt8(ascii: "\r") }) {
            self.refuse(
                at: line.place(of: offset),
                line.bytes[offset] == 0 ? "NUL character" : "carriage return inside a line",
                hint: line.bytes[offset] == 0 ? nil : "end lines with LF or CR LF"
            )
            return
        }
        let source = HBASourceLine(file: self.file, text: line)
        var scanner = HBATokenScanner(source: source)
        var fields: [HBAField] = []
        while let tokens = scanner.nextField() {
            guard let field = HBAField(tokens) else { break }
            fields.append(field)
        }
        if let problem = scanner.problem {
            self.refuse(at: line.place(of: problem.offset), problem.reason, hint: problem.hint)
            return
        }
        guard !fields.isEmpty else { return }
        self.entries.append(.line(HBALine(source: source, fields: fields)))
    }

    private mutating func refuse(at place: HBAPlace, _ reason: String, hint: String?) {
        self.entries.append(
            .refused(HBAError(file: self.file, line: place.line, column: place.column, reason: reason, hint: hint))
        )
    }
}
