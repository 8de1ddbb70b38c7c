import Sessions

/// What a server connection has done, for the console.
extension ServerConnection {
    /// Of the turn that is over; the next one counts from zero.
    func takeCounts() -> ServerCounts {
        let counts = self.presentTurn
        self.turn = ServerCounts()
        return counts
    }

    /// The turn is over, but the server goes back to its pool, which would enter its counts, later: nobody holds it
    /// until then from whom the console could learn them.
    func enterTurn() { self.pool.add(self.takeCounts(), of: self.id) }

    /// Since it was opened, the present turn included. Called while a client holds it, or while it finishes alone:
    /// nobody else changes what the pool knows of it then.
    var countsUntilNow: ServerCounts {
        var counts = self.pool.counts(of: self.id)
        counts.add(self.presentTurn)
        return counts
    }

    private var presentTurn: ServerCounts {
        var counts = self.turn
        counts.statementCount = self.statements?.preparedCount ?? 0
        return counts
    }
}
