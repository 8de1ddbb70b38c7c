/// What PostgreSQL 15 decides: each rule file was loaded by a server, and every question asked of it by a client.
enum PostgreSQLDecisionTable {
    /// Asked by unix socket, then from 127.0.0.1, then from ::1, all without TLS. `replication` is what the
    /// client puts into the startup parameter of this name.
    static let questions: [(database: String, user: String, replication: String?)] = [
        ("app", "alice", nil),
        ("alice", "alice", nil),
        ("bob", "alice", nil),
        ("all", "bob", nil),
        ("app", "all", nil),
        ("sameuser", "bob", nil),
        ("replication", "bob", nil),
        ("app", "rep", "true"),
        ("app", "rep", "database"),
        ("caf\u{E9}", "carol", nil),
        ("cafe\u{301}", "carol", nil),
        ("my db", "carol", nil),
        ("bob", "bob", nil),
    ]

    /// One letter per question in three groups of origins: `m` asked for a password (md5), `r` refused by a `reject`
    /// rule, `n` no rule matches.
    static let answers: [(text: String, letters: String)] = [
        ("local all all md5", "mmmmmmmnmmmmm nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local sameuser all md5", "nmnnnnnnnnnnm nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local \"sameuser\" all md5", "nnnnnmnnnnnnn nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local \"all\" all md5", "nnnmnnnnnnnnn nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local all \"all\" md5", "nnnnmnnnnnnnn nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local all all reject\nhost all all all md5", "rrrrrrrnrrrrr mmmmmmmnmmmmm mmmmmmmnmmmmm"),
        ("local alice,bob carol,alice md5", "nmmnnnnnnnnnn nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local replication all md5", "nnnnnnnmnnnnn nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local \"replication\" all md5", "nnnnnnmnnnnnn nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local all all md5\nlocal replication rep reject", "mmmmmmmrmmmmm nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local alice all reject\nlocal all all md5", "mrmmmmmnmmmmm nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local all alice reject\nlocal sameuser all md5", "rrrnnnnnnnnnm nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local ALL all md5", "nnnnnnnnnnnnn nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local all ALL md5", "nnnnnnnnnnnnn nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local Alice all md5", "nnnnnnnnnnnnn nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local all Alice md5", "nnnnnnnnnnnnn nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("host all all 127.0.0.1/32 md5", "nnnnnnnnnnnnn mmmmmmmnmmmmm nnnnnnnnnnnnn"),
        ("host all all 127.0.0.1/8 md5", "nnnnnnnnnnnnn mmmmmmmnmmmmm nnnnnnnnnnnnn"),
        ("host all all 127.0.0.0 255.0.0.0 md5", "nnnnnnnnnnnnn mmmmmmmnmmmmm nnnnnnnnnnnnn"),
        ("host all all 0.0.0.0/0 md5", "nnnnnnnnnnnnn mmmmmmmnmmmmm nnnnnnnnnnnnn"),
        ("host all all ::0/0 md5", "nnnnnnnnnnnnn nnnnnnnnnnnnn mmmmmmmnmmmmm"),
        ("host all all ::1/128 md5", "nnnnnnnnnnnnn nnnnnnnnnnnnn mmmmmmmnmmmmm"),
        ("host all all ::/127 md5", "nnnnnnnnnnnnn nnnnnnnnnnnnn mmmmmmmnmmmmm"),
        ("host all all all md5", "nnnnnnnnnnnnn mmmmmmmnmmmmm mmmmmmmnmmmmm"),
        ("hostssl all all all md5\nhost all all all reject", "nnnnnnnnnnnnn rrrrrrrnrrrrr rrrrrrrnrrrrr"),
        ("hostnossl all all all md5", "nnnnnnnnnnnnn mmmmmmmnmmmmm mmmmmmmnmmmmm"),
        ("hostgssenc all all all md5", "nnnnnnnnnnnnn nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("hostnogssenc all all all md5", "nnnnnnnnnnnnn mmmmmmmnmmmmm mmmmmmmnmmmmm"),
        ("host all all 127.0.0.1/1 md5", "nnnnnnnnnnnnn mmmmmmmnmmmmm nnnnnnnnnnnnn"),
        ("host all all 128.0.0.0/1 md5", "nnnnnnnnnnnnn nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local \"al\"l all md5", "nnnmnnnnnnnnn nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local all,\"app\" bob reject\nlocal all all md5", "mmmrmrrnmmmmr nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local caf\u{E9} all md5", "nnnnnnnnnmnnn nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local \"caf\u{E9}\" all md5", "nnnnnnnnnmnnn nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local \"my db\" all md5", "nnnnnnnnnnnmn nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local all,replication rep md5", "nnnnnnnmmnnnn nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("local sameuser,app alice,bob md5", "mmnnnnnnnnnnm nnnnnnnnnnnnn nnnnnnnnnnnnn"),
        ("host all all 0.0.0.0/0 reject\nhost all all all md5", "nnnnnnnnnnnnn rrrrrrrnrrrrr mmmmmmmnmmmmm"),
    ]
}
