/// Reads one logical line as a rule: type, databases, users, address (not for `local`), method, options.
///
/// Collects what is wrong with each column instead of stopping at the first. Used by one thread during one load.
struct HBARuleParser {
    /// More errors of one line are not told: finding a place walks the line, and lines may be long.
    private static let maximumErrors = 20

    private(set) var errors: [HBAError] = []

    let line: HBALine
    let file: String
    /// The words that name a method, `reject` among them.
    let methods: Set<String>
    /// The column to be read next.
    private var nextColumn = 0

    init(line: HBALine, file: String, methods: Set<String>) {
        self.line = line
        self.file = file
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
        guard let method = self.readMethod() else { return nil }
        let options = self.readOptions()
        guard self.errors.isEmpty else { return nil }
        return HBARule(
            index: index,
            file: self.file,
            line: self.line.text.number,
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
            self.refuse(at: self.line.text.bytes.count, "the line ends where \(expectation) is expected")
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
        self.refuse(at: token.range.lowerBound, reason, hint: hint)
    }

    mutating func refuse(at offset: Int, _ reason: String, hint: String? = nil) {
        guard self.errors.count < Self.maximumErrors else { return }
        let place = self.line.text.place(of: offset)
        self.errors.append(
            HBAError(file: self.file, line: place.line, column: place.column, reason: reason, hint: hint)
        )
    }

    /// Whole-line directives and `@file` words bring in text from elsewhere: without it the line says something else.
    private mutating func refuseInclusions() -> Bool {
        if let first = self.line.fields.first?.first,
            ["include", "include_if_exists", "include_dir"].contains(first.text)
        {
            self.refuse(first, UnsupportedFeature.includeDirective.reason(first.text))
            return false
        }
        for field in self.line.fields {
            for token in field.tokens where token.isFileInclusion {
                self.refuse(
                    token,
                    UnsupportedFeature.fileInclusion.reason(token.text),
                    hint: "write the names here, or put a name that begins with @ in double quotes"
                )
                return false
            }
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
        let bytes = self.line.text.bytes
        var result: [UInt8] = []
        var position = self.line.fields.first?.first.range.lowerBound ?? 0
        for option in options where option.option.isSecret {
            result.append(contentsOf: bytes[position..<option.range.lowerBound])
            result.append(contentsOf: option.option.description.utf8)
            position = option.range.upperBound
        }
        let end = self.line.fields.last?.tokens.last?.range.upperBound ?? bytes.count
        result.append(contentsOf: bytes[position..<max(position, end)])
        return String(decoding: result, as: UTF8.self)
    }
}
