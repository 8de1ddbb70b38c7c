/// Decodes one table of the files with the keys of its section: unknown keys, twice-named keys, types, missing keys,
/// defaults. Collects everything that is wrong instead of stopping.
struct SectionDecoder {
    let decoder: ValueDecoder

    /// - Parameter isQuiet: true inside a table for which one warning was given already.
    func decode(
        _ node: SettingsNode,
        as section: SettingsSection,
        keyPath: String,
        isQuiet: Bool = false,
        into diagnostics: inout Diagnostics
    ) -> SectionValues {
        var values = SectionValues(section: section, keyPath: keyPath, location: node.location)
        guard case .table(let entries) = node.content else {
            diagnostics.report(node.location, keyPath, "expected a table, found \(node.kindInWords)")
            return values
        }
        for entry in entries {
            guard let key = SettingsTable.key(entry.key, in: section) else {
                self.reportUnknown(entry, in: section, path: values.path(of: entry.key), &diagnostics)
                continue
            }
            if values.isWritten(key.name) {
                let first = values.location(of: key.name)
                diagnostics.report(
                    entry.location, values.path(of: entry.key), "the key stands twice, first at \(first)")
                continue
            }
            self.decode(entry, key, isQuiet: isQuiet, into: &values, &diagnostics)
        }
        self.completeMissing(&values, &diagnostics)
        return values
    }

    private func decode(
        _ entry: SettingsNode.Entry,
        _ key: SettingsKey,
        isQuiet: Bool,
        into values: inout SectionValues,
        _ diagnostics: inout Diagnostics
    ) {
        let path = values.path(of: entry.key)
        if case .accepted(let caution) = key.status, !isQuiet {
            let consequence = caution.map { "; \($0)" } ?? ""
            diagnostics.warn(entry.location, path, "is accepted but not yet effective\(consequence)")
        }
        switch key.kind {
        case .table, .tableMap, .tableList:
            values.set(key.name, table: entry.value, at: entry.location)
        default:
            do {
                let value = try self.decoder.decode(entry.value, as: key.kind)
                values.set(key.name, value, at: entry.location)
            } catch {
                for problem in [error] + error.others {
                    let place = problem.location ?? entry.location
                    diagnostics.report(place, path, problem.reason, hint: problem.hint)
                }
                // The default stands in, so that the checks that follow do not report the same key again.
                values.markWritten(key.name, standIn: Self.defaultValues[key.identity], at: entry.location)
            }
        }
    }

    private func completeMissing(_ values: inout SectionValues, _ diagnostics: inout Diagnostics) {
        for key in SettingsTable.keys(of: values.section) where !values.isWritten(key.name) {
            if key.isRequired {
                diagnostics.report(values.location, values.path(of: key.name), "is required")
            } else if let value = Self.defaultValues[key.identity] {
                values.set(key.name, value)
            }
        }
    }

    private func reportUnknown(
        _ entry: SettingsNode.Entry,
        in section: SettingsSection,
        path: String,
        _ diagnostics: inout Diagnostics
    ) {
        if entry.key == "<<" {
            diagnostics.report(entry.location, path, "YAML merge keys are not supported")
            return
        }
        guard !diagnostics.isFull else {
            diagnostics.report(entry.location, path, "unknown key")
            return
        }
        let known = SettingsTable.keys(of: section).map(\.name)
        let here = Self.meant(by: entry.key, among: known) ?? NearestName.find(entry.key, among: known)
        var hint: String?
        let home = SettingsTable.keys.first { $0.name == entry.key && $0.section != section }
        if section == .authQuery, let meaning = Self.renamedOfAuthQuery[entry.key] {
            hint = meaning
        } else if let here, here.distance <= 2 {
            hint = "did you mean `\(here.name)`?"
        } else if let home {
            hint = home.section == .root ? "it belongs at the top level" : "it belongs into `\(home.section.path)`"
        } else if let here {
            hint = "the nearest known key is `\(here.name)`"
        }
        diagnostics.report(entry.location, path, "unknown key", hint: hint)
    }

    /// Names that pg_doorman's pages and its older versions have, and what they mean: another key is nearer by its
    /// letters.
    private static let otherNames = ["tls_ca_file": "tls_ca_cert", "default_pool_size": "pool_size"]

    /// Names of older versions whose meaning another key has taken over while its own went to a third.
    private static let renamedOfAuthQuery = [
        "default_pool_size": "it is `pool_size` now, and what was `pool_size` is `workers`"
    ]

    private static func meant(by name: String, among known: [String]) -> (name: String, distance: Int)? {
        guard let present = Self.otherNames[name], known.contains(present) else { return nil }
        return (name: present, distance: 1)
    }

    /// Typed defaults by ``SettingsKey/identity``, made from the table once. A default that does not decode is missing
    /// here; a test compares the two.
    static let defaultValues: [String: SettingsValue] = {
        let decoder = ValueDecoder(references: ReferenceExpansion(environment: [:], baseFolder: ""))
        var values: [String: SettingsValue] = [:]
        for key in SettingsTable.keys {
            guard let text = key.defaultText,
                let node = try? YAMLTree.parse(text, file: ""),
                let value = try? decoder.decode(node, as: key.kind)
            else { continue }
            values[key.identity] = value
        }
        return values
    }()
}

extension SettingsKey {
    /// Unique over the table.
    var identity: String { "\(self.section.rawValue).\(self.name)" }
}
