/// A row of `SHOW HBA`. The gateway fills it; immutable afterwards.
package struct HBARow: ConsoleRow, Equatable {
    package var rule: String
    package var file: String
    package var line: Int
    package var hits: Int
    package var lastHit: String?
    package var onDisk: String

    package init(rule: String, file: String, line: Int, hits: Int, lastHit: String?, onDisk: String) {
        self.rule = rule
        self.file = file
        self.line = line
        self.hits = hits
        self.lastHit = lastHit
        self.onDisk = onDisk
    }

    package static let fields: [ConsoleField<Self>] = [
        .text("rule", "The rule as it is written, in the order in which rules are asked; secret options are masked") {
            $0.rule
        },
        .text(
            "file",
            """
            The file it stands in; `general.pg_hba` or `general.hba` when it stands in the settings, `default` when \
            they have neither
            """
        ) { $0.file },
        .number("line", "Its line") { $0.line },
        .number(
            "hits",
            "Logins that it has decided; counted on over reloads that leave the rule as it is, wherever it stands then"
        ) { $0.hits },
        .text("last_hit", "When it decided the last one, UTC; NULL before the first") { $0.lastHit },
        .text(
            "on_disk",
            """
            `same` while the settings and files on disk hold the rules and the maps of pg_ident in force; `changed` \
            when a reload would bring others; `refused: ...` with the reason when a reload would be refused, so that \
            the old ones stay
            """
        ) { $0.onDisk },
    ]
}
