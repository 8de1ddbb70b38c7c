/// Merges an included file over what was read before: tables key by key, lists appended, single values replaced.
enum TreeMerge {
    static func merge(
        _ included: SettingsNode,
        over base: SettingsNode,
        keyPath: String,
        into diagnostics: inout Diagnostics
    ) -> SettingsNode {
        switch (base.content, included.content) {
        case (.table(let old), .table(let new)):
            let entries = Self.merge(new, over: old, keyPath: keyPath, into: &diagnostics)
            return SettingsNode(content: .table(entries), location: base.location)
        case (.list(let old), .list(let new)):
            return SettingsNode(content: .list(old + new), location: base.location)
        case (.scalar, .scalar):
            return included
        default:
            diagnostics.report(
                included.location,
                keyPath,
                "is \(included.kindInWords) here and \(base.kindInWords) at \(base.location)"
            )
            return base
        }
    }

    private static func merge(
        _ new: [SettingsNode.Entry],
        over old: [SettingsNode.Entry],
        keyPath: String,
        into diagnostics: inout Diagnostics
    ) -> [SettingsNode.Entry] {
        var result = old
        var positions: [String: Int] = [:]
        for (position, entry) in old.enumerated() { positions[entry.key] = position }
        for entry in new {
            let path = keyPath.isEmpty ? entry.key : "\(keyPath).\(entry.key)"
            guard let position = positions[entry.key] else {
                positions[entry.key] = result.count
                result.append(entry)
                continue
            }
            let value = Self.merge(entry.value, over: result[position].value, keyPath: path, into: &diagnostics)
            result[position].value = value
            if case .scalar = value.content { result[position].location = entry.location }
        }
        return result
    }

    /// Gives older key names of the top level and of `general` their present names, so that files meet under one name.
    /// A file that has both keeps both; decoding reports that.
    static func withPresentNames(_ root: SettingsNode, into diagnostics: inout Diagnostics) -> SettingsNode {
        guard case .table(let entries) = Self.renamed(root, .root, into: &diagnostics).content else { return root }
        var inner = entries
        for (index, entry) in entries.enumerated() where entry.key == "general" {
            inner[index].value = Self.renamed(entry.value, .general, into: &diagnostics)
        }
        return SettingsNode(content: .table(inner), location: root.location)
    }

    private static func renamed(
        _ node: SettingsNode,
        _ section: SettingsSection,
        into diagnostics: inout Diagnostics
    ) -> SettingsNode {
        guard case .table(var entries) = node.content else { return node }
        let present = Set(entries.map(\.key))
        for (index, entry) in entries.enumerated() {
            guard let key = SettingsTable.key(entry.key, in: section), key.alias == entry.key,
                !present.contains(key.name)
            else { continue }
            let path = section.path.isEmpty ? entry.key : "\(section.path).\(entry.key)"
            diagnostics.warn(entry.location, path, "is an old name of `\(key.name)`")
            entries[index].key = key.name
        }
        return SettingsNode(content: .table(entries), location: node.location)
    }
}
