/// Escapes text from peers, so that it can neither end a log line nor look like another field. Pure functions.
enum LogText {
    /// Longer texts are cut: one record cannot flood the log.
    static let maximumTextBytes = 4096

    /// A message: control characters are escaped, the rest stands as it is.
    static func message(_ text: String) -> String {
        if text.utf8.count <= Self.maximumTextBytes, text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return text }
        var line = ""
        for scalar in Self.cut(text).unicodeScalars {
            Self.append(scalar, to: &line)
        }
        return line
    }

    /// A value behind `key=`: bare when it is one plain word, else in double quotes.
    static func value(_ text: String) -> String {
        let text = Self.cut(text)
        // Most values are plain ASCII: judged by their bytes, without looking properties up.
        if !text.isEmpty, text.utf8.allSatisfy(Self.isPlainASCII) { return text }
        guard text.isEmpty || !text.unicodeScalars.allSatisfy(Self.isPlain) else { return text }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            if scalar == "\"" || scalar == "\\" {
                quoted.unicodeScalars.append("\\")
            }
            Self.append(scalar, to: &quoted)
        }
        return quoted + "\""
    }

    /// A JSON string literal.
    static func json(_ text: String) -> String {
        var literal = "\""
        for scalar in Self.cut(text).unicodeScalars {
            switch scalar {
            case "\"": literal += "\\\""
            case "\\": literal += "\\\\"
            case "\n": literal += "\\n"
            case "\r": literal += "\\r"
            case "\t": literal += "\\t"
            default:
                if Self.isHostile(scalar) {
                    literal += "\\u" + Self.hex(scalar.value, digits: 4)
                } else {
                    literal.unicodeScalars.append(scalar)
                }
            }
        }
        return literal + "\""
    }

    private static func cut(_ text: String) -> String {
        guard text.utf8.count > Self.maximumTextBytes else { return text }
        return String(decoding: text.utf8.prefix(Self.maximumTextBytes), as: UTF8.self) + "…"
    }

    private static func append(_ scalar: Unicode.Scalar, to line: inout String) {
        switch scalar {
        case "\n": line += "\\n"
        case "\r": line += "\\r"
        case "\t": line += "\\t"
        default:
            if Self.isHostile(scalar) {
                line += "\\u{" + Self.hex(scalar.value, digits: 2) + "}"
            } else {
                line.unicodeScalars.append(scalar)
            }
        }
    }

    /// Control characters, line and paragraph separators, and marks that reverse the direction of a terminal's line.
    private static func isHostile(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00...0x1F, 0x7F...0x9F, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    private static func isPlainASCII(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7F && byte != 0x22 && byte != 0x5C && byte != 0x3D
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        !Self.isHostile(scalar) && scalar != " " && scalar != "\"" && scalar != "\\" && scalar != "="
            && !scalar.properties.isWhitespace
    }

    private static func hex(_ value: UInt32, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
}
