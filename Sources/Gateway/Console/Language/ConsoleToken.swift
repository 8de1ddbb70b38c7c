/// One word, quoted text or sign of a console statement. Immutable.
struct ConsoleToken: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        /// Letters, digits, `_`, `.` and anything beyond ASCII.
        case word
        /// `"..."`, unquoted in `text`.
        case identifier
        /// `'...'`, unquoted in `text`.
        case string
        /// Any other single character.
        case sign
    }

    let kind: Kind
    let text: String

    /// True for an unquoted word that equals `keyword`, which is in upper case; the case of the word does not matter.
    func isKeyword(_ keyword: String) -> Bool {
        self.kind == .word && self.text.uppercased() == keyword
    }

    func isSign(_ sign: String) -> Bool {
        self.kind == .sign && self.text == sign
    }

    /// The number that a word of digits stands for; nil for anything else, and for one that is too large.
    var number: Int? {
        guard self.kind == .word, self.text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(self.text)
    }

    /// The name that an identifier stands for: as it is when quoted, in lower case when not; nil when it is none.
    var name: String? {
        switch self.kind {
        case .word: self.text.foldedName
        case .identifier: self.text
        case .string, .sign: nil
        }
    }
}

extension StringProtocol {
    /// As PostgreSQL folds a name that is not quoted: in UTF-8, letters beyond ASCII stay as they are.
    var foldedName: String {
        let bytes = self.utf8.map { (byte: UInt8) -> UInt8 in (0x41...0x5a).contains(byte) ? byte | 0x20 : byte }
        return String(decoding: bytes, as: UTF8.self)
    }
}
