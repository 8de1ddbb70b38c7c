import PGWire

/// The savepoints of the open transaction. There is nothing to take back in the console: only their names count.
///
/// Some drivers set one of the same name before every statement and never release it: a row of such savepoints takes
/// the room of one. A value; belongs to one session.
struct ConsoleSavepoints: Sendable {
    private struct Row: Sendable {
        let name: String
        var count = 1
    }

    /// The last one set stands last.
    private var rows: [Row] = []

    /// - Throws: 53400 when there are too many.
    mutating func set(_ name: String) throws(ConsoleError) {
        if let last = self.rows.indices.last, self.rows[last].name.hasSameBytes(as: name) {
            self.rows[last].count &+= 1
            return
        }
        guard self.rows.count < ConsoleLimits.savepoints else {
            throw .limit("more than \(ConsoleLimits.savepoints) savepoints in one transaction")
        }
        self.rows.append(Row(name: name))
    }

    /// Back to the last one of that name, which stays.
    ///
    /// - Throws: 3B001 when there is none.
    mutating func rollBack(to name: String) throws(ConsoleError) {
        let index = try self.index(of: name)
        self.rows.removeSubrange((index + 1)...)
    }

    /// Forgets the last one of that name, and what was set after it.
    ///
    /// - Throws: 3B001 when there is none.
    mutating func release(_ name: String) throws(ConsoleError) {
        let index = try self.index(of: name)
        self.rows.removeSubrange((index + 1)...)
        self.rows[index].count -= 1
        if self.rows[index].count == 0 { self.rows.remove(at: index) }
    }

    mutating func removeAll() { self.rows.removeAll() }

    private func index(of name: String) throws(ConsoleError) -> Int {
        guard let index = self.rows.lastIndex(where: { $0.name.hasSameBytes(as: name) }) else {
            throw .noSavepoint(name)
        }
        return index
    }
}
