/// A row of `SHOW LISTS`: the length of one internal list. Made from `ListCounts`; immutable.
package struct ListRow: ConsoleRow, Equatable {
    package let list: String
    package let items: Int

    package static let fields: [ConsoleField<Self>] = [
        .text("list", "Name of the list") { $0.list },
        .number("items", "Entries in it now; of `audit_dropped` since start, of the `dns_` lists always 0") {
            $0.items
        },
    ]
}

/// The lengths that `SHOW LISTS` reports. The gateway fills it; immutable afterwards.
package struct ListCounts: Equatable, Sendable {
    package var databases: Int
    package var users: Int
    package var pools: Int
    /// Clients without a server connection.
    package var freeClients: Int
    /// Clients with a server connection.
    package var usedClients: Int
    package var loginClients: Int
    package var freeServers: Int
    package var usedServers: Int
    /// Records that `SHOW AUDIT` can show.
    package var auditEntries: Int
    /// Records that the audit log lost since start.
    package var auditDropped: Int

    package init(
        databases: Int,
        users: Int,
        pools: Int,
        freeClients: Int,
        usedClients: Int,
        loginClients: Int,
        freeServers: Int,
        usedServers: Int,
        auditEntries: Int,
        auditDropped: Int
    ) {
        self.databases = databases
        self.users = users
        self.pools = pools
        self.freeClients = freeClients
        self.usedClients = usedClients
        self.loginClients = loginClients
        self.freeServers = freeServers
        self.usedServers = usedServers
        self.auditEntries = auditEntries
        self.auditDropped = auditDropped
    }

    /// The rows in the order that monitoring tools expect. The gateway keeps no name cache, so the `dns_` lists, which
    /// such tools look for, are empty.
    package var rows: [ListRow] {
        [
            ListRow(list: "databases", items: self.databases),
            ListRow(list: "users", items: self.users),
            ListRow(list: "pools", items: self.pools),
            ListRow(list: "free_clients", items: self.freeClients),
            ListRow(list: "used_clients", items: self.usedClients),
            ListRow(list: "login_clients", items: self.loginClients),
            ListRow(list: "free_servers", items: self.freeServers),
            ListRow(list: "used_servers", items: self.usedServers),
            ListRow(list: "dns_names", items: 0),
            ListRow(list: "dns_zones", items: 0),
            ListRow(list: "dns_queries", items: 0),
            ListRow(list: "dns_pending", items: 0),
            ListRow(list: "audit_entries", items: self.auditEntries),
            ListRow(list: "audit_dropped", items: self.auditDropped),
        ]
    }
}
