/// Reads one logical line as a rule: type, databases, users, address (not for `local`), method, options.
///
/// Collects what is wrong with each column instead of stopping at the first. Used by one thread during one load.
struct HBARuleParser {
    /// More errors of one line are not told: finding a place walks the line, and lines may be long.
    private static let maximumErrors = 20

    private(set) var errors: [HBAError] = []

    let line: HBALine
    let methods: HBAMethods
    /// The column to be read next.
    private var nextColumn = 0

    init(line: HBALine, methods: HBAMethods) {
        self.line = line
        self.methods = methods
    }

    /// The rule, or `nil` with at least one error.
    mutating func parse(index: Int) -> HBARule? {
        guard self.refuseInclusions(), let kind = self.readKind() else { return nil }
        guard let databaseField = self.take("a database") else { return nil }
        let databases = self.databases(of: databaseField)
        guard let userField = self.take("a user") else { return nil }
        let users = self.users(of: userField)
        var address: HBAAddress?
        if kind.hasAddress {
            switch self.readAddress() {
            case .read(let read): address = read
            case .refused: break
            case .refusedAndLost: return nil
            }
        }
        guard let method = self.readMethod(kind) else { return nil }
        let options = self.readOptions()
        self.checkOptions(options, kind: kind, method: method)
        guard self.errors.isEmpty else { return nil }
        return HBARule(
            index: index,
            file: self.line.source.file,
            line: self.line.source.text.number,
            kind: kind,
            databases: databases,
            users: users,
            address: address,
            method: method,
            options: options.map(\.option),
            source: self.source(hidingSecretsOf: options)
        )
    }

    /// The next column; when the line ends before it, an error that names what is missing.
    mutating func take(_ expectation: String) -> HBAField? {
        guard let field = self.takeIfPresent() else {
            let source = self.line.source
            self.refuse(source.error(at: source.text.bytes.count, "the line ends where \(expectation) is expected"))
            return nil
        }
        return field
    }

    /// The next column, if there is one.
    mutating func takeIfPresent() -> HBAField? {
        guard self.nextColumn < self.line.fields.count else { return nil }
        defer { self.nextColumn += 1 }
        return self.line.fields[self.nextColumn]
    }

    /// The only word of a column; a list is an error.
    mutating func single(_ field: HBAField, _ name: String, hint: String? = nil) -> HBAToken? {
        guard field.tokens.count == 1 else {
            self.refuse(field.first, "the \(name) cannot be a list", hint: hint)
            return nil
        }
        return field.first
    }

    mutating func refuse(_ token: HBAToken, _ reason: String, hint: String? = nil) {
        self.refuse(token.error(reason, hint: hint))
    }

    private mutating func refuse(_ error: @autoclosure () -> HBAError) {
        guard self.errors.count < Self.maximumErrors else { return }
        self.errors.append(error())
    }

    /// `@file` words that are left: they stand in other columns than those of databases and users.
    private mutating func refuseInclusions() -> Bool {
        for token in self.line.fields.lazy.flatMap(\.tokens) where token.isFileInclusion {
            self.refuse(
                token,
                "\(token.text.excerpt): a file can hold databases or users, nothing else",
                hint: "put a word that begins with @ in double quotes"
            )
            return false
        }
        return true
    }

    private mutating func readKind() -> HBAConnectionKind? {
        guard let field = self.take("a connection type"), let token = self.single(field, "connection type") else {
            return nil
        }
        let words = HBAConnectionKind.allCases.map(\.rawValue)
        guard let kind = HBAConnectionKind(rawValue: token.text) else {
            let nearest = NearestWord.of(token.text, among: words)
            self.refuse(
                token,
                "unknown connection type \(token.text.excerpt)",
                hint: nearest.map { "did you mean \($0)?" } ?? "the types are \(words.joined(separator: ", "))"
            )
            return nil
        }
        return kind
    }

    /// The text of the rule from its first word to its last, with the values of secret options replaced.
    private func source(hidingSecretsOf options: [ReadOption]) -> String {
        let bytes = self.line.source.text.bytes
        var result: [UInt8] = []
        var position = self.line.fields.first?.first.range.lowerBound ?? 0
        for option in options where option.option.isSecret {
            result.append(contentsOf: bytes[position..<option.token.range.lowerBound])
            result.append(contentsOf: option.option.description.utf8)
            position = option.token.range.upperBound
        }
        let end = self.line.fields.last?.tokens.last?.range.upperBound ?? bytes.count
        result.append(contentsOf: bytes[position..<max(position, end)])
        return String(decoding: result, as: UTF8.self)
    }
}
