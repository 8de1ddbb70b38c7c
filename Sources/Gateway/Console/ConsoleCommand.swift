/// One entry of the command table, from which the parser, `SHOW HELP`, RowDescription and the reference page come.
/// Immutable.
package struct ConsoleCommand: Sendable {
    /// Who answers.
    package enum Answer: Equatable, Sendable {
        case help
        case version
        case request(ConsoleRequest)
    }

    static let show = "SHOW"

    /// The words of the command in upper case, such as `SHOW`, `POOLS`.
    package let words: [String]
    /// What stands for a number behind the words, such as `n`; nil for a command without.
    package var parameter: String?
    /// That number, when a client has given it: so many rows of the answer are sent.
    package var rowLimit: Int?
    /// What stands behind the words; nil for a command without.
    package var argument: ConsoleArgument?
    /// That, when a client has given it.
    package var arguments: [String] = []
    package let answer: Answer
    /// Empty when the command returns no rows.
    package let columns: [ConsoleColumn]
    /// What CommandComplete says.
    package let tag: String
    /// What the command does, in whole sentences, for the reference page.
    package let summary: String

    package var name: String {
        (self.words + [self.parameter, self.argument?.rawValue].compactMap { $0 }).joined(separator: " ")
    }

    package var isShow: Bool {
        self.words.first == Self.show
    }

    private static func show<Row: ConsoleRow>(
        _ target: String,
        _ answer: Answer,
        _ rows: Row.Type,
        part: String? = nil,
        parameter: String? = nil,
        _ summary: String
    ) -> Self {
        Self(
            words: [Self.show, target] + [part].compactMap { $0 },
            parameter: parameter,
            answer: answer,
            columns: Row.columns,
            tag: Self.show,
            summary: summary
        )
    }

    private static func verb(
        _ words: String...,
        argument: ConsoleArgument? = nil,
        request: ConsoleRequest,
        _ columns: [ConsoleColumn],
        _ summary: String
    ) -> Self {
        Self(
            words: words,
            argument: argument,
            answer: .request(request),
            columns: columns,
            tag: words.first ?? "",
            summary: summary
        )
    }

    /// The command table. Its order is the order of `SHOW HELP` and of the reference page.
    package static let all: [ConsoleCommand] = [
        .show("HELP", .help, HelpRow.self, "Lists the commands."),
        .show("VERSION", .version, VersionRow.self, "Names the product and its version."),
        .show(
            "POOLS",
            .request(.pools),
            PoolRow.self,
            "One row for each pool: its clients, its server connections, how long clients wait."
        ),
        .show("CLIENTS", .request(.clients), ClientRow.self, "One row for each connected client."),
        .show("SERVERS", .request(.servers), ServerRow.self, "One row for each server connection."),
        .show(
            "STATS",
            .request(.stats),
            StatsRow.self,
            """
            One row for each pool: totals since start and averages of the last period of 15 seconds. The totals of a \
            pool that goes and comes again go on, if it is among the 2048 that went last.
            """
        ),
        .show("DATABASES", .request(.databases), DatabaseRow.self, "One row for each pool: where it connects to."),
        .show("USERS", .request(.users), UserRow.self, "One row for each user of a pool."),
        .show("LISTS", .request(.lists), ListRow.self, "The lengths of the internal lists, one row for each."),
        .show("CONNECTIONS", .request(.connections), ConnectionsRow.self, "Counts connections since start."),
        .show(
            "CONFIG",
            .request(.config),
            ConfigRow.self,
            "One row for each setting: what is in force, what the default is, whether a reload changes it."
        ),
        .show(
            "HBA",
            .request(.hba),
            HBARow.self,
            """
            The policy in force, one row for each rule of pg_hba (or of the legacy list `hba`), and whether it is \
            the one on disk.
            """
        ),
        .show(
            "AUTH_PROVIDERS",
            .request(.authProviders),
            AuthProviderRow.self,
            "One row for each way to log in: how its logins ended since start, and how long they took."
        ),
        .show(
            "TLS",
            .request(.tls),
            TLSRow.self,
            "Handshakes since start, with clients and with servers: how they ended, and how long they took."
        ),
        .show(
            "STARTUP_PARAMETERS",
            .request(.startupParameters),
            StartupParameterRow.self,
            "One row for each of the operator's `startup_parameters` of each pool."
        ),
        .show(
            "AUTH_QUERY",
            .request(.authQuery),
            AuthQueryRow.self,
            """
            One row for each database with `auth_query`: what is remembered, asked and refused. Counts begin anew when \
            a reload changes a key of `auth_query` (but for pool sizes, and the name and password of `server_user`), \
            or the server, its TLS or `connect_timeout`.
            """
        ),
        .show(
            "PREPARED_STATEMENTS",
            .request(.preparedStatements),
            StatementRow.self,
            """
            One row for each prepared statement that a pool knows, the one that a client prepared last first. A pool \
            knows at most `prepared_statements_cache_size` of them.
            """
        ),
        .show(
            "INTERNER",
            .request(.interner),
            InternerRow.self,
            """
            The texts of all prepared statements, each stored once per process for as long as a client, a pool or a \
            server connection has a statement with it.
            """
        ),
        .show(
            "INTERNER",
            .request(.internedTexts),
            InternedTextRow.self,
            parameter: "n",
            "The `n` longest of these texts, at most \(InternedTextRow.rowsMax), one row for each."
        ),
        .show(
            "AUDIT",
            .request(.audit),
            AuditRow.self,
            """
            The last logins, logouts and console commands, the newest first: those of the last `audit_entries` that \
            the process keeps in memory, at most \(AuditRow.rowsMax). Documentation/audit.md says what the fields mean.
            """
        ),
        .show(
            "AUDIT", .request(.lastAudit), AuditRow.self, parameter: "n", "The last `n` of these."
        ),
        .show(
            "AUDIT",
            .request(.auditFailures),
            AuditRow.self,
            part: "FAILURES",
            "Of these only refused logins and failed commands."
        ),
        .show(
            "AUDIT",
            .request(.lastAuditFailures),
            AuditRow.self,
            part: "FAILURES",
            parameter: "n",
            "The last `n` refused logins and failed commands."
        ),
        .verb(
            "RELOAD",
            request: .reload,
            [],
            """
            Reads the settings again and puts them in force. It applies whole or not at all: when the new settings \
            have a mistake, the answer is an error that names it, and the old ones stay.
            """
        ),
        .verb(
            "SHUTDOWN",
            request: .shutdown,
            ShutdownRow.columns,
            """
            Begins the graceful stop, as SIGTERM does: clients in a transaction finish first, and servers that still \
            carry out what clients asked for that have left.
            """
        ),
        .verb(
            "RECONNECT",
            argument: .database,
            request: .reconnect,
            [],
            """
            Gives up the server connections of a database or of all, as `server_lifetime` does: idle ones at once, the \
            others when their clients give them back, those of auth_query too. Names of servers are looked up anew. \
            Clients stay. Where a server's name leads elsewhere this happens by itself (see `server_host`).
            """
        ),
        .verb(
            "KILL",
            "USER",
            argument: .user,
            request: .killUser,
            KillRow.columns,
            """
            Ends all sessions of a user at once, in every database but the console's, also those in a transaction, and \
            what servers still carry out for clients that have left, and gives up the server connections of the user's \
            own pools (shared ones stay). The user may log in again: what keeps it out is the policy, the settings, or \
            PostgreSQL behind auth_query (see `INVALIDATE AUTH`).
            """
        ),
        .verb(
            "INVALIDATE",
            "AUTH",
            argument: .account,
            request: .invalidateAuth,
            InvalidationRow.columns,
            """
            Forgets what auth_query has remembered, of a user, of a database or of all: the next login of each user \
            asks PostgreSQL again. Sessions go on; `KILL USER` ends them. Names are in lower case unless quoted; one \
            that holds a dot has to be: `INVALIDATE AUTH shop."john.doe"`.
            """
        ),
    ]

    /// The second words of the `SHOW` commands, each once.
    static let showTargets: [String] = Self.all.filter { $0.isShow && $0.parameter == nil && $0.words.count == 2 }
        .flatMap { $0.words.dropFirst() }

    /// The command that consists of exactly these words, which are in upper case.
    static func named(_ words: [String]) -> ConsoleCommand? {
        self.all.first { $0.words == words && $0.parameter == nil }
    }

    /// The command of these words and a number behind them.
    static func named(_ words: [String], number: Int) -> ConsoleCommand? {
        guard var command = self.all.first(where: { $0.words == words && $0.parameter != nil }) else { return nil }
        command.rowLimit = number
        return command
    }
}
