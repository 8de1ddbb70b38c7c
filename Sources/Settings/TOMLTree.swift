import TOMLKit

/// Reads TOML text into a tree. The library tells lines only for syntax errors; lines of keys come from
/// ``TOMLOutline``, which also keeps from the library what would end the process.
struct TOMLTree {
    private let file: String
    private let lines: [[String]: Int]

    static func parse(_ text: String, file: String) throws(SettingsProblem) -> SettingsNode {
        // The parser below takes C strings: whatever follows a zero byte would be dropped without a word.
        if let line = Self.lineOfZero(in: text) {
            throw SettingsProblem(
                at: SourceLocation(file: file, line: line),
                keyPath: "",
                reason: "the file holds a zero byte or an escape that stands for one"
            )
        }
        let lines: [[String]: Int]
        do {
            lines = try TOMLOutline.lines(of: text)
        } catch {
            let location = SourceLocation(file: file, line: error.line)
            throw SettingsProblem(at: location, keyPath: "", reason: "TOML syntax: \(error.reason)")
        }
        let table: TOMLTable
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            throw SettingsProblem(
                at: SourceLocation(file: file, line: error.source.begin.line),
                keyPath: "",
                reason: "TOML syntax: \(Self.withoutQuotedText(error.description))"
            )
        } catch {
            throw SettingsProblem(at: SourceLocation(file: file), keyPath: "", reason: "cannot be read as TOML")
        }
        // The library frees nothing by itself, and every reload reads another tree.
        defer { table.clear() }
        let tree = TOMLTree(file: file, lines: lines)
        return try tree.convert(table, path: [], keyPath: "", line: 1)
    }

    private func convert(
        _ table: TOMLTable,
        path: [String],
        keyPath: String,
        line: Int?
    ) throws(SettingsProblem) -> SettingsNode {
        let location = SourceLocation(file: self.file, line: line)
        guard path.count <= SettingsLimits.maximumDepth else {
            throw SettingsProblem(at: location, keyPath: keyPath, reason: "tables are nested too deeply")
        }
        var entries: [SettingsNode.Entry] = []
        for key in table.keys {
            guard let value = table[key] else { continue }
            let inner = path + [key]
            let innerPath = keyPath.isEmpty ? key : "\(keyPath).\(key)"
            let innerLine = self.lines[inner]
            let node = try self.convert(value.tomlValue, path: inner, keyPath: innerPath, line: innerLine)
            entries.append(.init(key: key, location: SourceLocation(file: self.file, line: innerLine), value: node))
        }
        // The library sorts keys by name; the file's own order is what people expect in messages.
        let ordered = entries.enumerated()
            .sorted { left, right in
                (left.element.location.line ?? 0, left.offset) < (right.element.location.line ?? 0, right.offset)
            }
        return SettingsNode(content: .table(ordered.map(\.element)), location: location)
    }

    private func convert(
        _ value: TOMLValue,
        path: [String],
        keyPath: String,
        line: Int?
    ) throws(SettingsProblem) -> SettingsNode {
        func scalar(_ text: String, _ style: SettingsNode.Scalar.Style) -> SettingsNode {
            let location = SourceLocation(file: self.file, line: line)
            return SettingsNode(content: .scalar(.init(text: text, style: style)), location: location)
        }
        switch value.type {
        case .table:
            guard let table = value.table else { break }
            return try self.convert(table, path: path, keyPath: keyPath, line: line)
        case .array:
            guard let array = value.array else { break }
            return try self.convert(array, path: path, keyPath: keyPath, line: line)
        case .string: return scalar(value.string ?? "", .quoted)
        case .int: return scalar(value.int.map(String.init) ?? "", .typed)
        case .double: return scalar(value.double.map { "\($0)" } ?? "", .typed)
        case .bool: return scalar(value.bool == true ? "true" : "false", .typed)
        case .date, .time, .dateTime: break
        }
        return scalar("", .temporal)
    }

    private func convert(
        _ array: TOMLArray,
        path: [String],
        keyPath: String,
        line: Int?
    ) throws(SettingsProblem) -> SettingsNode {
        var items: [SettingsNode] = []
        for (index, item) in array.enumerated() {
            let inner = path + [TOMLOutline.component(forIndex: index)]
            let node = try self.convert(
                item.tomlValue,
                path: inner,
                keyPath: "\(keyPath)[\(index)]",
                line: self.lines[inner] ?? line
            )
            items.append(node)
        }
        return SettingsNode(content: .list(items), location: SourceLocation(file: self.file, line: line))
    }

    private static func lineOfZero(in text: String) -> Int? {
        var line = 1
        for row in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if row.utf8.contains(0) || row.contains("\\u0000") || row.contains("\\U00000000") { return line }
            line += 1
        }
        return nil
    }

    /// The library quotes pieces of the file after `saw`; they may belong to a secret.
    private static func withoutQuotedText(_ description: String) -> String {
        guard let cut = description.firstRange(of: ", saw ") else { return description }
        return String(description[..<cut.lowerBound])
    }
}
