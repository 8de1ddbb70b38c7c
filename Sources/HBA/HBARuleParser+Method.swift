extension HBARuleParser {
    /// An option and where it stands.
    struct ReadOption {
        let option: HBAOption
        let range: Range<Int>
    }

    /// Methods of PostgreSQL: a gateway without one of them says so instead of calling it a mistake.
    private static let methodsOfPostgreSQL: Set<String> = [
        "bsd", "cert", "gss", "ident", "ldap", "md5", "oauth", "pam", "password", "peer", "radius", "reject",
        "scram-sha-256", "sspi", "trust",
    ]

    /// The method column.
    mutating func readMethod() -> String? {
        guard let field = self.take("a method"), let token = self.single(field, "method") else { return nil }
        if self.methods.contains(token.text) {
            return token.text
        }
        let known = "the methods are \(self.methods.sorted().joined(separator: ", "))"
        if token.text.utf8.contains(UInt8(ascii: "=")) {
            // Not quoted: the value may be a secret.
            self.refuse(token, "an option stands where a method is expected", hint: known)
        } else if token.text.utf8.contains(where: { ".:/".utf8.contains($0) }) {
            self.refuse(
                token,
                "\(token.text.excerpt) stands where a method is expected",
                hint: "rules of type local have no address, and an address has at most one mask"
            )
        } else if Self.methodsOfPostgreSQL.contains(token.text) {
            self.refuse(token, "PostgreSQL's method \(token.text.excerpt) is not available here", hint: known)
        } else {
            let nearest = NearestWord.of(token.text, among: self.methods)
            self.refuse(
                token,
                "unknown method \(token.text.excerpt)",
                hint: nearest.map { "did you mean \($0)?" } ?? known
            )
        }
        return nil
    }

    /// The options: everything behind the method. Stops at the first that is wrong, and never quotes a value.
    mutating func readOptions() -> [ReadOption] {
        var options: [ReadOption] = []
        var names: Set<String> = []
        while let field = self.takeIfPresent() {
            for token in field.tokens {
                guard let option = Self.option(token.text) else {
                    self.refuse(
                        token,
                        "option \(options.count + 1) is not of the form name=value",
                        hint: "no blanks around the equals sign; a value with blanks goes in double quotes"
                    )
                    return []
                }
                guard names.insert(option.name).inserted else {
                    self.refuse(token, "option \(option.name.excerpt) is given twice")
                    return []
                }
                options.append(ReadOption(option: option, range: token.range))
            }
        }
        return options
    }

    private static func option(_ text: String) -> HBAOption? {
        let parts = text.utf8.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let name = parts.first, let value = parts.last else { return nil }
        guard !name.isEmpty, name.allSatisfy(Self.isOptionNameByte) else { return nil }
        return HBAOption(name: String(Substring(name)), value: String(Substring(value)))
    }

    private static func isOptionNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default:
            false
        }
    }
}
