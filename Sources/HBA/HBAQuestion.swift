/// What a policy is asked about one login: who wants what, from where. Facts only, no socket.
///
/// A value; any thread may make one.
package struct HBAQuestion: Sendable, Hashable {
    /// The way the client came in.
    package enum Origin: Sendable, Hashable {
        /// A unix socket.
        case local
        /// TCP. The address is normalised (see ``IPAddress``), so an IPv4 client of a dual-stack listener is IPv4 here.
        case tcp(IPAddress, isTLS: Bool)
    }

    package var origin: Origin
    /// The database of the startup packet, byte for byte; rules compare it with case.
    package var database: String
    /// The user of the startup packet, byte for byte; rules compare it with case.
    package var user: String
    /// A physical replication connection (`replication=true`). Logical replication (`replication=database`) names a
    /// database and counts as an ordinary connection here, as in PostgreSQL.
    package var isReplication: Bool

    package init(origin: Origin, database: String, user: String, isReplication: Bool = false) {
        self.origin = origin
        self.database = database
        self.user = user
        self.isReplication = isReplication
    }
}
