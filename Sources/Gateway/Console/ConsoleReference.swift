/// The reference page of the console, made from the command table. Pure.
package enum ConsoleReference {
    /// The console databases, in the order in which they are documented. The same as
    /// `SettingsValidation.consoleDatabases`: no pool may take one of these names.
    package static let databases = ["pggateway", "pgbouncer", "pgdoorman"]

    /// The whole page, ending in a line feed.
    package static var markdown: String {
        let commands = ConsoleCommand.all.map(self.section)
        return ([self.introduction, self.overview] + commands + [self.compatibility, self.errors])
            .joined(separator: "\n\n") + "\n"
    }

    private static var databaseList: String {
        self.databases.map { "`\($0)`" }.joined(separator: ", ")
    }

    private static var introduction: String {
        """
        # Admin console

        The console shows what the gateway does at this moment and takes commands from an administrator. It is
        reached by connecting to one of the databases \(self.databaseList)
        as `admin_username` with `admin_password`:

            psql "host=127.0.0.1 port=6432 user=admin dbname=pggateway" -c "SHOW POOLS"

        It speaks the simple and the extended query protocol, rows in text and in binary format, so `psql` and every
        driver can be used. Commands are not case-sensitive; blanks, comments and a trailing `;` do not matter. One
        query may hold several commands separated by `;`; it stops at the first that fails. A prepared statement
        holds one command, and none takes parameters. All columns are of type `text` or `int8`.

        This page is generated from the command table of the console.
        """
    }

    private static var overview: String {
        let rows = ConsoleCommand.all.map { "| [`\($0.name)`](#\(self.anchor($0))) | \($0.summary) |" }
        return (["## Commands", "", "| command | what it does |", "|---|---|"] + rows).joined(separator: "\n")
    }

    /// The heading's name in links, as renderers of Markdown make it: without brackets and dots.
    private static func anchor(_ command: ConsoleCommand) -> String {
        let kept = command.name.lowercased().filter { $0.isLetter || $0.isNumber || $0 == "_" || $0 == " " }
        return kept.split(separator: " ").joined(separator: "-")
    }

    private static func section(_ command: ConsoleCommand) -> String {
        let head = "## \(command.name)\n\n\(command.summary)\n\n"
        guard !command.columns.isEmpty else {
            return head + "Returns no rows. Command tag: `\(command.tag)`."
        }
        let rows = command.columns.map { "| `\($0.name)` | \($0.type.rawValue) | \(self.cell($0.meaning)) |" }
        return head + (["| column | type | meaning |", "|---|---|---|"] + rows).joined(separator: "\n")
    }

    /// A vertical bar would end the cell.
    private static func cell(_ text: String) -> String {
        text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
    }

    private static var compatibility: String {
        let facts = ConsoleFacts(version: "", database: "", user: "")
        let settings = ConsoleSettingGrammar.acceptedParameters.map { "`\($0)`" }.joined(separator: ", ")
        let shown = facts.shownParameters.map { "`\($0.name)`" }.joined(separator: ", ")
        let constants = facts.constants.map { "`\($0.expression)`" }.joined(separator: ", ")
        return """
            ## What drivers send

            Drivers and connection pools send statements of their own. These are accepted:

            | statement | answer |
            |---|---|
            | `SET name = value`, `SET name TO value`, `RESET name` | No effect. Names: \(settings) |
            | `SET TIME ZONE`, `SET NAMES`, `SET TRANSACTION`, `SET SESSION CHARACTERISTICS`, `RESET ALL`, \
            `CLOSE ALL`, `UNLISTEN *` | No effect |
            | `BEGIN`, `START TRANSACTION`, `COMMIT`, `END`, `ROLLBACK`, `ABORT`, `SAVEPOINT name`, \
            `RELEASE name`, `ROLLBACK TO name` | \
            The transaction status changes as in PostgreSQL; commands take effect at once and are not rolled back |
            | `DISCARD ALL`, `DEALLOCATE` | Prepared statements are forgotten; other forms of \
            `DISCARD` have no effect |
            | `SHOW name` | The value that holds in the console. Names: \(shown) |
            | `SELECT expression` | One row. Expressions: \(constants), also with `pg_catalog.` |
            """
    }

    private static var errors: String {
        """
        ## Errors

        Errors have severity `ERROR`, and the session goes on. A message that is too long or of an unknown type ends \
        it (`FATAL`, 08P01).

        | SQLSTATE | when |
        |---|---|
        | 42601 | The command is unknown or has a syntax error |
        | 42704 | `SHOW` of an unknown name (the hint names the nearest), `SET` of an unknown setting |
        | 3D000 | `INVALIDATE AUTH` of a database that has no auth_query |
        | 25001 | `DISCARD ALL` in a transaction |
        | 25P01 | A savepoint, or `AND CHAIN`, outside a transaction |
        | 25P02 | A command in a failed transaction |
        | 3B001 | An unknown savepoint |
        | 22023 | `RELOAD`: the new settings have a mistake; a format code of a Bind message that is neither 0 nor 1 |
        | 3D000 | `RECONNECT` of a database that the settings do not have |
        | 53000 | Too many commands wait that take long, or the system has no thread left for them |
        | 26000, 34000 | An unknown prepared statement, an unknown portal |
        | 55000 | An Execute message for a portal that has been run to its end |
        | 42P05, 42P03 | The name of a prepared statement, or of a portal, is taken |
        | 08P01 | A malformed message, or a Bind message with parameters |
        | 22021 | A text that is not valid UTF-8 |
        | 0A000 | A function call message |
        | 53400 | A session holds more than \(ConsoleLimits.preparedStatements) prepared statements or \
        \(ConsoleLimits.portals) portals, a transaction more than \(ConsoleLimits.savepoints) savepoints (those \
        of one name in a row count as one), or a query \
        more than \(ConsoleLimits.statementsPerQuery) commands |

        A message may have \(ConsoleLimits.messageBytes) bytes.
        """
    }
}
