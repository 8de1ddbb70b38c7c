extension String {
    /// Whether the first byte is this ASCII character. `hasPrefix` compares whole characters: it does not see the plus
    /// sign under a combining mark, PostgreSQL does.
    func begins(with byte: Unicode.Scalar) -> Bool {
        self.utf8.first.map { Unicode.Scalar($0) == byte } ?? false
    }

    /// The text for an error message: control characters replaced, cut to a bounded length.
    var excerpt: String {
        let limit = 64
        let scalars = self.unicodeScalars.prefix(limit).map { scalar -> String in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: scalar.codePoint
            default: String(scalar)
            }
        }
        let isCut = self.unicodeScalars.dropFirst(limit).first != nil
        return "\"" + scalars.joined() + (isCut ? "...\"" : "\"")
    }
}

extension Unicode.Scalar {
    /// `U+00A0`.
    var codePoint: String {
        let digits = String(self.value, radix: 16, uppercase: true)
        return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// Characters that look like nothing, like a blank or like a quote, but are part of a name to PostgreSQL. Outside
    /// double quotes they are taken for mistakes.
    var isDeceptive: Bool {
        guard !(0x21...0x7e).contains(self.value) else { return false }
        switch self.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator:
            return true
        default:
            return "\u{2018}\u{2019}\u{201A}\u{201C}\u{201D}\u{201E}\u{201F}\u{AB}\u{BB}\u{FF02}".unicodeScalars
                .contains(self)
        }
    }
}
