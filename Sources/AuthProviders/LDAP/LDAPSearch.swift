import Sessions

/// How far below the base a search looks.
enum LDAPScope: Sendable, Equatable {
    case base
    case oneLevel
    case subtree
}

/// Search+bind: where and how a user's entry is found. Immutable.
struct LDAPSearch: Sendable {
    /// Stands for the user's name in a filter.
    static let placeholder = "$username"
    static let attributeDefault = "uid"

    let base: String
    let scope: LDAPScope
    /// A filter with ``placeholder``.
    let template: String
    /// The attribute of the found entry that has to hold the user's name byte for byte; nil for none.
    let nameAttribute: String?
    /// Who searches; empty for anybody.
    let bindName: String
    let bindPassword: SecretBytes

    /// The filter for one user.
    func filter(for user: String) -> String {
        let escaped = LDAPText.escapedForFilter(user)
        // A name may hold the placeholder itself: each piece of the template is taken once.
        return Self.pieces(of: self.template).joined(separator: escaped)
    }

    /// What stands before, between and behind the placeholders.
    private static func pieces(of template: String) -> [String] {
        var pieces: [String] = []
        var piece: [UInt8] = []
        var rest = Array(template.utf8)[...]
        let word = Array(Self.placeholder.utf8)
        while let byte = rest.first {
            if rest.starts(with: word) {
                pieces.append(String(decoding: piece, as: UTF8.self))
                piece = []
                rest = rest.dropFirst(word.count)
            } else {
                piece.append(byte)
                rest = rest.dropFirst()
            }
        }
        return pieces + [String(decoding: piece, as: UTF8.self)]
    }

    /// PostgreSQL refuses such names where they would get into a filter.
    static func isSearchable(_ user: String) -> Bool {
        !user.utf8.contains { "*()\\/".utf8.contains($0) }
    }

    /// An attribute description: letters, digits, `-`, `.` of an object identifier, `;` before an option.
    static func isAttribute(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ";"):
                    true
                default: false
                }
            }
    }
}

/// Names inside the texts of LDAP.
enum LDAPText {
    /// A value in a filter (RFC 4515): `* ( ) \` and NUL as hex digits.
    static func escapedForFilter(_ text: String) -> String {
        Self.escaped(text) { byte, _, _ in "*()\\".utf8.contains(byte) || byte == 0 }
    }

    /// A value in a distinguished name (RFC 4514): special characters, and blanks and `#` where they would not count.
    static func escapedForName(_ text: String) -> String {
        Self.escaped(text) { byte, isFirst, isLast in
            switch byte {
            case UInt8(ascii: " "): isFirst || isLast
            case UInt8(ascii: "#"): isFirst
            default: byte == 0 || "\"+,;<=>\\".utf8.contains(byte)
            }
        }
    }

    private static func escaped(
        _ text: String,
        _ isSpecial: (UInt8, _ isFirst: Bool, _ isLast: Bool) -> Bool
    ) -> String {
        let bytes = Array(text.utf8)
        let digits = Array("0123456789abcdef".utf8)
        var result: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            if isSpecial(byte, index == 0, index == bytes.count - 1) {
                result += [UInt8(ascii: "\\"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
