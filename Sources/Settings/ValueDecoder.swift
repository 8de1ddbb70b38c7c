/// Turns one value of a file into the type that its key asks for. Reasons quote what the file says, never what a
/// reference was replaced with, and nothing at all of a secret.
struct ValueDecoder {
    let references: ReferenceExpansion

    func decode(_ node: SettingsNode, as kind: SettingsKind) throws(ValueProblem) -> SettingsValue {
        switch kind {
        case .cidrList, .stringList, .pathList:
            return .list(try self.list(node, as: kind))
        case .stringMap:
            return .map(try self.map(node))
        case .hbaRules:
            return .rules(try self.rules(node))
        case .table, .tableMap, .tableList:
            throw ValueProblem("must be a table")
        default:
            return try self.scalar(node, as: kind)
        }
    }

    private func scalar(_ node: SettingsNode, as kind: SettingsKind) throws(ValueProblem) -> SettingsValue {
        guard case .scalar(let source) = node.content else {
            throw ValueProblem("expected \(kind.inWords), found \(node.kindInWords)")
        }
        if kind == .secret { return .secret(SecretText(try self.secret(source))) }
        var scalar = source
        let expanded = try self.references.expand(source.text)
        scalar.text = expanded.text
        if expanded.isReplaced { scalar.style = .plain }
        do {
            return try self.typed(scalar, as: kind)
        } catch {
            let quoted = source.text.prefix(60)
            throw ValueProblem("expected \(kind.inWords), found `\(quoted)`: \(error.reason)", hint: error.hint)
        }
    }

    private func typed(
        _ scalar: SettingsNode.Scalar,
        as kind: SettingsKind
    ) throws(ValueProblem) -> SettingsValue {
        guard scalar.style != .temporal else { throw ValueProblem("it is a date or time") }
        let isBare = scalar.style != .quoted
        switch kind {
        case .duration(let minimum):
            let value = try DurationText.parse(scalar.text)
            guard value >= minimum else { throw ValueProblem("must be above 0") }
            return .duration(value)
        case .seconds(let range):
            return .duration(.seconds(try self.seconds(scalar, in: range)))
        case .size(let range):
            let value = try SizeText.parse(scalar.text)
            guard range.contains(value) else {
                throw ValueProblem("is above \(SizeText.text(range.upperBound))")
            }
            return .size(value)
        case .integer(let range):
            return .integer(try self.integer(scalar, in: range))
        case .bool:
            // YAML has three spellings of each.
            let word = ["True", "TRUE", "False", "FALSE"].contains(scalar.text) ? scalar.text.lowercased() : scalar.text
            guard isBare, word == "true" || word == "false" else {
                throw ValueProblem("is neither true nor false", hint: "write true or false without quotes")
            }
            return .bool(word == "true")
        case .octalMode:
            guard scalar.style != .typed else {
                throw ValueProblem("is a number", hint: "write it in quotes, such as \"0600\"")
            }
            return .mode(try OctalModeText.parse(scalar.text))
        case .choice(let words, let anyCase):
            return .text(try self.choice(scalar.text, of: words, anyCase: anyCase))
        case .path:
            return .text(self.references.resolve(path: try self.string(scalar)))
        default:
            return .text(try self.string(scalar))
        }
    }

    private func integer(_ scalar: SettingsNode.Scalar, in range: ClosedRange<Int>) throws(ValueProblem) -> Int {
        let digits = scalar.text.hasPrefix("-") ? scalar.text.dropFirst() : scalar.text[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            throw ValueProblem("is not an integer")
        }
        guard scalar.style != .quoted else { throw ValueProblem("is a string", hint: "write it without quotes") }
        guard let value = Int(scalar.text), range.contains(value) else {
            throw ValueProblem("is not within \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// An integer of seconds; a duration of whole seconds with a unit is understood too.
    private func seconds(_ scalar: SettingsNode.Scalar, in range: ClosedRange<Int>) throws(ValueProblem) -> Int {
        let hasUnit = scalar.text.utf8.last.map { $0 > UInt8(ascii: "9") } ?? false
        guard hasUnit else { return try self.integer(scalar, in: range) }
        let value = try DurationText.parse(scalar.text).components
        guard value.attoseconds == 0, let seconds = Int(exactly: value.seconds), range.contains(seconds) else {
            throw ValueProblem("is not a whole number of seconds within \(range.lowerBound) to \(range.upperBound)")
        }
        return seconds
    }

    private func choice(_ text: String, of words: [String], anyCase: Bool) throws(ValueProblem) -> String {
        let word = anyCase ? text.lowercased() : text
        guard words.contains(word) else {
            throw ValueProblem("unknown word", hint: "one of \(words.joined(separator: ", "))")
        }
        return word
    }

    private func string(_ scalar: SettingsNode.Scalar) throws(ValueProblem) -> String {
        guard scalar.style != .typed else { throw ValueProblem("is not a string", hint: "write it in quotes") }
        guard !scalar.text.utf8.contains(0) else { throw ValueProblem("holds a zero byte") }
        return scalar.text
    }

    private func secret(_ source: SettingsNode.Scalar) throws(ValueProblem) -> String {
        guard source.style == .plain || source.style == .quoted else {
            throw ValueProblem("is not a string", hint: "write it in quotes")
        }
        let text = try self.references.expandSecret(source.text).text
        guard !text.utf8.contains(0) else { throw ValueProblem("holds a zero byte") }
        return text
    }

    private func list(_ node: SettingsNode, as kind: SettingsKind) throws(ValueProblem) -> [String] {
        guard case .list(let items) = node.content else {
            throw ValueProblem("expected \(kind.inWords), found \(node.kindInWords)")
        }
        let itemKind: SettingsKind = kind == .pathList ? .path : .string
        var result: [String] = []
        var problems: [ValueProblem] = []
        for item in items {
            do throws(ValueProblem) {
                guard case .text(let text) = try self.scalar(item, as: itemKind) else { continue }
                if kind == .cidrList { try AddressRangeText.check(text) }
                result.append(text)
            } catch {
                var problem = error
                problem.location = item.location
                problems.append(problem)
            }
        }
        guard var problem = problems.first else { return result }
        problem.others = Array(problems.dropFirst())
        throw problem
    }

    private func map(_ node: SettingsNode) throws(ValueProblem) -> [String: String] {
        guard case .table(let entries) = node.content else {
            throw ValueProblem("expected a map of strings, found \(node.kindInWords)")
        }
        var result: [String: String] = [:]
        for entry in entries {
            guard case .text(let text) = try self.scalar(entry.value, as: .string) else { continue }
            result[entry.key] = text
        }
        return result
    }

    private func rules(_ node: SettingsNode) throws(ValueProblem) -> HBARuleSource {
        let hint = "write the rules as a string, or {content: ...}, or {path: ...}"
        if case .scalar = node.content {
            guard case .text(let text) = try self.scalar(node, as: .string) else { return .unset }
            let isOneWord = !text.contains { $0 == " " || $0 == "\t" || $0.isNewline }
            if isOneWord, !text.isEmpty {
                throw ValueProblem("`\(text.prefix(60))` is not a rule", hint: "a file is written as {path: ...}")
            }
            return .content(text)
        }
        guard case .table(let entries) = node.content else {
            throw ValueProblem("expected rules, found \(node.kindInWords)", hint: hint)
        }
        if let other = entries.first(where: { $0.key != "path" && $0.key != "content" }) {
            throw ValueProblem("unknown key `\(other.key)`", hint: hint)
        }
        if let content = node["content"], case .text(let text) = try self.scalar(content, as: .string) {
            return .content(text)
        }
        if let path = node["path"], case .text(let text) = try self.scalar(path, as: .path) {
            return .path(text)
        }
        throw ValueProblem("neither `content` nor `path` is there", hint: hint)
    }
}

extension SettingsKind {
    /// For error texts and the reference page.
    package var inWords: String {
        switch self {
        case .duration: "a duration"
        case .size: "a size"
        case .seconds: "a number of seconds"
        case .integer: "an integer"
        case .bool: "true or false"
        case .string: "a string"
        case .secret: "a secret"
        case .path: "a path"
        case .octalMode: "an octal mode"
        case .choice(let words, _): "one of \(words.joined(separator: ", "))"
        case .cidrList: "a list of address ranges"
        case .stringList: "a list of strings"
        case .pathList: "a list of paths"
        case .stringMap: "a map of strings"
        case .hbaRules: "hba rules"
        case .table: "a table"
        case .tableMap: "a map of tables"
        case .tableList: "a list of tables"
        }
    }
}
