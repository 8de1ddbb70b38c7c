import PGWire

/// From one client's parameters to another's.
extension SessionParameters {
    /// A name with another value here than there, or with one of the two only.
    private struct Difference {
        let old: Entry?
        let new: Entry?
    }

    /// The simple query that turns a session with `old` applied into one with these parameters; nil when there is
    /// nothing to do. `set_config` rather than SET: it reads lists (`search_path`) the way a startup packet does.
    ///
    /// A `role` is left first and taken on last: what a session may set and reset is, as at its start, the affair of
    /// the user who has logged in. What everybody may set leaves it alone, and so cannot fail by it.
    package func query(replacing old: SessionParameters) -> String? {
        if self.isSame(as: old) { return nil }
        let keepsRole = self.isSteady(replacing: old)
        var text = ""
        var calls: [String] = []
        var changed: [Entry] = []
        for entry in old.entries where !keepsRole && Self.isRole(entry) {
            text += "RESET \(SQLText.identifier(entry.name));"
        }
        for difference in self.differences(from: old) {
            if let gone = difference.old, !Self.isRole(gone), difference.new == nil || Self.isDateStyle(gone) {
                if gone.name.utf8.allSatisfy({ $0 < 0x80 }) {
                    text += "RESET \(SQLText.identifier(gone.name));"
                } else {
                    // As a name it would be read in the encoding of the client before. Without a value it is reset.
                    calls.append("pg_catalog.set_config(\(SQLText.literal(gone.name)),NULL,false)")
                }
            }
            if let new = difference.new, !Self.isRole(new) { changed.append(new) }
        }
        if !keepsRole { changed += self.entries.filter(Self.isRole) }
        calls += changed.map {
            "pg_catalog.set_config(\(SQLText.literal($0.name)),\(SQLText.literal($0.value)),false)"
        }
        if !calls.isEmpty { text += "SELECT " + calls.joined(separator: ",") }
        return text.isEmpty ? nil : text
    }

    /// Whether the change from `old`, once PostgreSQL has accepted it, cannot fail later. A role may have been taken
    /// away meanwhile, what a parameter names may be gone, and the timeouts of `old` hold for the query that takes them
    /// back.
    package func isSteady(replacing old: SessionParameters) -> Bool {
        if self.isSteady && old.isSteady || self.isSame(as: old) { return true }
        guard !old.entries.contains(where: SteadyParameters.isTimeout) else { return false }
        return self.differences(from: old).allSatisfy { difference in
            (difference.old.map(SteadyParameters.contain) ?? true)
                && (difference.new.map(SteadyParameters.contain) ?? true)
        }
    }

    /// In the order of their names. Both lists have it, so one walk along them finds all: a startup packet holds
    /// thousands of parameters, and every checkout may ask.
    private func differences(from old: SessionParameters) -> [Difference] {
        var differences: [Difference] = []
        var (new, gone) = (self.entries[...], old.entries[...])
        while let left = gone.first, let right = new.first {
            if left.name.hasSameBytes(as: right.name) {
                if left != right { differences.append(Difference(old: left, new: right)) }
                gone.removeFirst()
                new.removeFirst()
            } else if Entry.isSorted(left, right) {
                differences.append(Difference(old: left, new: nil))
                gone.removeFirst()
            } else {
                differences.append(Difference(old: nil, new: right))
                new.removeFirst()
            }
        }
        for left in gone { differences.append(Difference(old: left, new: nil)) }
        for right in new { differences.append(Difference(old: nil, new: right)) }
        return differences
    }

    /// A value may name one half of it (`ISO`, `DMY`): the other half stays as it was, which is to be the server's own
    /// and not that of the client before.
    private static func isDateStyle(_ entry: Entry) -> Bool {
        self.foldingCase(entry.name) == "datestyle"
    }
}
