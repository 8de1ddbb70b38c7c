import Testing

@testable import Gateway

@Suite("Console rows")
struct ConsoleRowTests {
    @Test("a pool's wait is split into seconds and microseconds")
    func pool() {
        let row = PoolRow(
            database: "d",
            user: "u",
            poolMode: "session",
            clientsIdle: 1,
            clientsActive: 2,
            clientsWaiting: 3,
            serversActive: 5,
            serversIdle: 6,
            serversLogin: 8,
            poolSize: 9,
            longestWaitMicroseconds: 12_345_678,
            averageTransactionMicroseconds: 10,
            oldestActiveAgeMilliseconds: 11
        )
        let numbers: [Int64] = [1, 2, 3, 0, 5, 6, 0, 8, 9, 12, 345_678, 10, 0, 0, 11]
        #expect(row.values == [.text("d"), .text("u"), .text("session")] + numbers.map(ConsoleValue.int))
    }

    @Test("client")
    func client() {
        let row = ClientRow(
            number: 5,
            database: "d",
            user: "u",
            applicationName: "a",
            address: "10.0.0.1:5000",
            tls: TLSColumns(version: "TLSv1.3", cipher: "c", subject: nil, serverName: "db.example.org"),
            state: .waiting,
            wait: .read,
            transactions: 1,
            queries: 2,
            errors: 3,
            ageSeconds: 4,
            serverUser: "s"
        )
        let words = ["#c5", "d", "u", "a", "10.0.0.1:5000", "true", "waiting", "read"]
        #expect(
            row.values == words.map(ConsoleValue.text) + [1, 2, 3, 4].map(ConsoleValue.int)
                + [.text("s"), .text("TLSv1.3"), .text("c"), .null, .text("db.example.org")]
        )
    }

    @Test("server", arguments: [(0x1f, "0x0000001f"), (UInt32.max, "0xffffffff"), (0, "0x00000000")])
    func server(number: UInt32, identifier: String) {
        let row = ServerRow(
            number: number,
            processID: 4711,
            database: "d",
            user: "u",
            applicationName: "a",
            state: .idle,
            wait: .write,
            transactions: 1,
            queries: 2,
            bytesSent: 3,
            bytesReceived: 4,
            ageSeconds: 5,
            preparedHits: 6,
            preparedMisses: 7,
            preparedCount: 8
        )
        let words = ["d", "u", "a", "false", "idle", "write"]
        #expect(
            row.values == [.text(identifier), .int(4711)] + words.map(ConsoleValue.text)
                + [1, 2, 3, 4, 5, 6, 7, 8].map(ConsoleValue.int) + [.null, .null, .null]
        )
    }

    @Test("stats")
    func stats() {
        func figures(_ first: Int) -> StatsRow.Figures {
            StatsRow.Figures(
                transactions: first,
                queries: first + 1,
                bytesReceived: first + 2,
                bytesSent: first + 3,
                transactionMicroseconds: first + 4,
                queryMicroseconds: first + 5,
                waitMicroseconds: first + 6,
                errors: first + 7
            )
        }
        let row = StatsRow(
            database: "d",
            user: "u",
            total: figures(10),
            average: figures(20),
            preparedHits: 30,
            preparedMisses: 31,
            preparedEvictions: 32
        )
        let numbers: [Int64] = [10, 11, 12, 13, 14, 15, 16, 17, 20, 21, 22, 23, 27, 24, 25, 26, 30, 31, 32]
        #expect(row.values == [.text("d"), .text("u")] + numbers.map(ConsoleValue.int))
    }

    @Test("database, user, connections, setting")
    func inventory() {
        var database = DatabaseRow(
            name: "n",
            host: "h",
            port: 5432,
            database: "d",
            forceUser: nil,
            poolSize: 1,
            minPoolSize: 2,
            poolMode: "session",
            maxConnections: 4,
            currentConnections: 5
        )
        let values: [ConsoleValue] = [
            .text("n"), .text("h"), .int(5432), .text("d"), .null, .int(1), .int(2), .int(0), .text("session"),
            .int(4), .int(5),
        ]
        #expect(database.values == values)
        database.forceUser = "f"
        #expect(database.values[4] == .text("f"))
        #expect(ConsoleScript.user.values == [.text("app"), .text("transaction")])
        #expect(
            ConnectionsRow(total: 1, errors: 2, tls: 3, plain: 4, cancel: 5).values
                == [1, 2, 3, 4, 5].map(ConsoleValue.int)
        )
        let setting = ConfigRow(
            key: "k",
            value: "v",
            defaultValue: nil,
            isChangeable: false,
            documentation: "doc"
        )
        let parameter = StartupParameterRow(user: "u", database: "d", parameter: "p", value: "v", source: "pool")
        #expect(parameter.values == ["u", "d", "p", "v", "pool", "applied"].map(ConsoleValue.text))
        #expect(setting.values == [.text("k"), .text("v"), .null, .text("no"), .text("doc")])
    }

    @Test("prepared statements and their texts")
    func statements() {
        let statement = StatementRow(
            pool: "u@d",
            hash: 0xab,
            name: "pggateway_1",
            query: "select 1",
            useCount: 2,
            kind: "mixed"
        )
        let hash = ConsoleValue.text("0x00000000000000ab")
        #expect(
            statement.values
                == [.text("u@d"), hash, .text("pggateway_1"), .text("select 1"), .int(2), .text("mixed")]
        )
        let texts = InternerRow(kind: "named", entries: 1, bytes: 2, bytesMax: 3)
        #expect(texts.values == [.text("named"), .int(1), .int(2), .int(3)])
        let text = InternedTextRow(hash: .max, kind: "anonymous", bytes: 4, query: "select")
        #expect(
            text.values
                == [.text("0xffffffffffffffff"), .text("anonymous"), .int(4), .int(-1), .text("select")]
        )
    }

    @Test("lists")
    func lists() {
        let counts = ListCounts(
            databases: 1,
            users: 2,
            pools: 3,
            freeClients: 4,
            usedClients: 5,
            loginClients: 6,
            freeServers: 7,
            usedServers: 8,
            auditEntries: 9,
            auditDropped: 10
        )
        let names = [
            "databases", "users", "pools", "free_clients", "used_clients", "login_clients", "free_servers",
            "used_servers", "dns_names", "dns_zones", "dns_queries", "dns_pending", "audit_entries", "audit_dropped",
        ]
        #expect(counts.rows.map(\.list) == names)
        #expect(counts.rows.map(\.items) == [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 9, 10])
    }

    @Test(
        "values in both formats",
        arguments: [
            (.null, nil, nil),
            (.text(""), [], []),
            (.text("é"), [0xc3, 0xa9], [0xc3, 0xa9]),
            (.int(0), [0x30], [0, 0, 0, 0, 0, 0, 0, 0]),
            (.int(-1), [0x2d, 0x31], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            (.int(0x0102_0304_0506_0708), Array("72623859790382856".utf8), [1, 2, 3, 4, 5, 6, 7, 8]),
            (.int(.min), Array("-9223372036854775808".utf8), [0x80, 0, 0, 0, 0, 0, 0, 0]),
        ] as [(ConsoleValue, [UInt8]?, [UInt8]?)]
    )
    func encoding(value: ConsoleValue, text: [UInt8]?, binary: [UInt8]?) {
        #expect(value.encoded(as: .text) == text)
        #expect(value.encoded(as: .binary) == binary)
    }
}
