/// The only row of `KILL USER`. The gateway fills it; immutable afterwards.
package struct KillRow: ConsoleRow, Equatable {
    package var clients: Int
    package var pools: Int

    package init(clients: Int, pools: Int) {
        self.clients = clients
        self.pools = pools
    }

    package static let fields: [ConsoleField<Self>] = [
        .number("clients", "Sessions that were ended") { $0.clients },
        .number("pools", "Pools of the user whose server connections were given up") { $0.pools },
    ]
}

/// The only row of `INVALIDATE AUTH`. The gateway fills it; immutable afterwards.
package struct InvalidationRow: ConsoleRow, Equatable {
    package var entries: Int

    package init(entries: Int) {
        self.entries = entries
    }

    package static let fields: [ConsoleField<Self>] = [
        .number("entries", "Remembered answers that were forgotten, those that say that a user is unknown included") {
            $0.entries
        }
    ]
}
