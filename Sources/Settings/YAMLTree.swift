import Yams

/// Reads YAML text into a tree with line numbers. Accepts one document; anchors and aliases within bounds.
struct YAMLTree {
    private let file: String
    private var remainingNodes = SettingsLimits.maximumNodes

    private init(file: String) {
        self.file = file
    }

    /// The root of the only document, nil for a file without content.
    static func parse(_ text: String, file: String) throws(SettingsProblem) -> SettingsNode? {
        guard YAMLAliasBound.expandedBytes(of: text) <= SettingsLimits.maximumExpandedBytes else {
            throw SettingsProblem(
                at: SourceLocation(file: file),
                keyPath: "",
                reason: "anchors and aliases expand to more than \(SettingsLimits.maximumExpandedBytes) bytes"
            )
        }
        var root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw Self.problem(error, file: file)
        } catch {
            throw SettingsProblem(at: SourceLocation(file: file), keyPath: "", reason: "cannot be read as YAML")
        }
        guard let root, !Self.isNull(root) else { return nil }
        var tree = YAMLTree(file: file)
        return try tree.convert(root, keyPath: "", depth: 0)
    }

    private mutating func convert(
        _ node: Node,
        keyPath: String,
        depth: Int
    ) throws(SettingsProblem) -> SettingsNode {
        let location = self.location(node)
        self.remainingNodes -= 1
        guard self.remainingNodes > 0, depth <= SettingsLimits.maximumDepth else {
            throw SettingsProblem(at: location, keyPath: keyPath, reason: "the file holds too many or too deep values")
        }
        switch node {
        case .scalar(let scalar):
            let style: SettingsNode.Scalar.Style = scalar.style == .plain ? .plain : .quoted
            return SettingsNode(content: .scalar(.init(text: scalar.string, style: style)), location: location)
        case .sequence(let sequence):
            var items: [SettingsNode] = []
            for (index, item) in sequence.enumerated() {
                items.append(try self.convert(item, keyPath: "\(keyPath)[\(index)]", depth: depth + 1))
            }
            return SettingsNode(content: .list(items), location: location)
        case .mapping(let mapping):
            return try self.convert(mapping, keyPath: keyPath, location: location, depth: depth)
        case .alias:
            throw SettingsProblem(at: location, keyPath: keyPath, reason: "an alias names nothing")
        }
    }

    private mutating func convert(
        _ mapping: Node.Mapping,
        keyPath: String,
        location: SourceLocation,
        depth: Int
    ) throws(SettingsProblem) -> SettingsNode {
        var entries: [SettingsNode.Entry] = []
        var seen: [String: SourceLocation] = [:]
        for (keyNode, valueNode) in mapping {
            let place = self.location(keyNode)
            guard case .scalar(let scalar) = keyNode else {
                let reason = "a key must be a name, not a list or a table"
                throw SettingsProblem(at: place, keyPath: keyPath, reason: reason)
            }
            let key = scalar.string
            let path = keyPath.isEmpty ? key : "\(keyPath).\(key)"
            if let first = seen.updateValue(place, forKey: key) {
                throw SettingsProblem(at: place, keyPath: path, reason: "the key stands twice, first at \(first)")
            }
            if Self.isNull(valueNode) { continue }
            let value = try self.convert(valueNode, keyPath: path, depth: depth + 1)
            entries.append(.init(key: key, location: place, value: value))
        }
        return SettingsNode(content: .table(entries), location: location)
    }

    private func location(_ node: Node) -> SourceLocation {
        SourceLocation(file: self.file, line: node.mark?.line)
    }

    /// An empty value counts as a key that was not written.
    private static func isNull(_ node: Node) -> Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// Keeps place and problem; the library's own text quotes lines of the file, which may hold secrets.
    private static func problem(_ error: YamlError, file: String) -> SettingsProblem {
        func at(_ line: Int?, _ reason: String) -> SettingsProblem {
            SettingsProblem(at: SourceLocation(file: file, line: line), keyPath: "", reason: reason)
        }
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let lead = context.map { "\($0.text), line \($0.mark.line): " } ?? ""
            return at(mark.line, "YAML syntax: \(lead)\(problem)")
        case .reader(let problem, let offset, _, let text):
            let line = offset.map { text.prefix($0).utf8.count(where: { $0 == UInt8(ascii: "\n") }) + 1 }
            return at(line, "YAML syntax: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.map { "`\($0)`" }.joined(separator: ", ")
            let line = context.mark.line
            return at(line, "the key \(names) stands twice in one table, first on line \(line)")
        case .memory:
            return at(nil, "YAML syntax: nested too deeply")
        default:
            return at(nil, "cannot be read as YAML")
        }
    }
}
