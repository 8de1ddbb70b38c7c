extension HBARuleParser {
    /// An option and the word it is written in.
    struct ReadOption {
        let option: HBAOption
        let token: HBAToken
    }

    /// The method column.
    mutating func readMethod(_ kind: HBAConnectionKind) -> String? {
        guard let field = self.take("a method"), let token = self.single(field, "method") else { return nil }
        // PostgreSQL reads `ident` on unix sockets as `peer`.
        let word = kind == .local && token.text == "ident" && self.methods.words.contains("peer") ? "peer" : token.text
        if let method = self.methods.method(for: word) {
            return self.isPossible(method, kind, token) ? method : nil
        }
        let known = "the methods are \(self.methods.words.sorted().joined(separator: ", "))"
        if token.text.utf8.contains(UInt8(ascii: "=")) {
            // Not quoted: the value may be a secret.
            self.refuse(token, "an option stands where a method is expected", hint: known)
        } else if token.text.utf8.contains(where: { ".:/".utf8.contains($0) }) {
            self.refuse(
                token,
                "\(token.text.excerpt) stands where a method is expected",
                hint: "rules of type local have no address, and an address has at most one mask"
            )
        } else if HBAMethods.ofPostgreSQL.contains(token.text) {
            self.refuse(token, "PostgreSQL's method \(token.text.excerpt) is not available here", hint: known)
        } else {
            let nearest = NearestWord.of(token.text, among: self.methods.words)
            self.refuse(
                token,
                "unknown method \(token.text.excerpt)",
                hint: nearest.map { "did you mean \($0)?" } ?? known
            )
        }
        return nil
    }

    /// Whether connections of this type can ever use the method.
    private mutating func isPossible(_ method: String, _ kind: HBAConnectionKind, _ token: HBAToken) -> Bool {
        switch (method, kind) {
        case ("peer", .hostssl), ("peer", .host), ("peer", .hostnossl), ("peer", .hostgssenc), ("peer", .hostnogssenc):
            self.refuse(token, "method peer works on unix sockets only", hint: "rules for them have the type local")
        case ("gss", .local), ("sspi", .local):
            self.refuse(token, "method \(method) does not work on unix sockets")
        case ("cert", .local), ("cert", .host), ("cert", .hostnossl), ("cert", .hostgssenc), ("cert", .hostnogssenc):
            self.refuse(token, "method cert works over TLS only", hint: "rules for TLS have the type hostssl")
        default: return true
        }
        return false
    }

    /// The options that PostgreSQL ties to certain rules. All others are checked by the provider of the method.
    mutating func checkOptions(_ options: [ReadOption], kind: HBAConnectionKind, method: String) {
        for read in options {
            let value = read.option.value
            switch read.option.name {
            case "map" where !self.methods.takesMap(method):
                let takers = self.methods.words.filter { self.methods.takesMap($0) }.sorted()
                self.refuse(
                    read.token,
                    "method \(method) takes no option map",
                    hint: takers.isEmpty ? nil : "methods with a map are \(takers.joined(separator: ", "))"
                )
            case "clientcert" where kind != .hostssl, "clientname" where kind != .hostssl:
                self.refuse(read.token, "option \(read.option.name) is for rules of type hostssl only")
            case "clientcert" where value != "verify-ca" && value != "verify-full":
                self.refuse(read.token, "option clientcert is neither verify-ca nor verify-full")
            case "clientcert" where method == "cert" && value == "verify-ca":
                self.refuse(read.token, "method cert verifies the whole certificate: clientcert cannot be verify-ca")
            case "clientname" where value != "CN" && value != "DN":
                self.refuse(read.token, "option clientname is neither CN nor DN")
            default: break
            }
        }
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
                options.append(ReadOption(option: option, token: token))
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
