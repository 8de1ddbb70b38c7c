extension SettingsTable {
    /// Who logs in, who fails to, and what guessing costs.
    static let auditKeys: [SettingsKey] = [
        SettingsKey(
            "audit_log", .general, .string, unset: "no audit log", .reload, isOwn: true,
            """
            Where each login, logout and console command is written as one line of JSON: `stderr`, `syslog` (facility \
            auth, through `/dev/log`), or the absolute path of a file, which is made with mode 0600, appended to, and \
            opened anew at each reload. Documentation/audit.md describes the lines.
            """
        ),
        SettingsKey(
            "syslog_prog_name", .general, .string, default: "pggateway", .reload,
            "Name of the lines of an audit log to `syslog`; the gateway's own log goes to standard error."
        ),
        SettingsKey(
            "audit_log_queue", .general, .integer(1...1_048_576), default: "8192", .reload, isOwn: true,
            """
            Records that may wait to be written. Nobody waits for the audit log: records beyond this are dropped and \
            counted, and a line tells how many are missing.
            """
        ),
        SettingsKey(
            "audit_entries", .general, .integer(0...65_536), default: "1024", .reload, isOwn: true,
            """
            Records kept in memory for `SHOW AUDIT`, also without `audit_log`; 0 keeps none. At most 4096 of them are \
            shown at a time; `SHOW AUDIT FAILURES` looks through all.
            """
        ),
        SettingsKey(
            "auth_failure_delay", .general, .duration, default: "500ms", .reload, isOwn: true,
            """
            The first failed proof from an address or for a user is answered after this time, each further one after \
            twice the time of the one before, up to 16 times this; 0 switches it off. Right passwords do not wait.
            """
        ),
    ]
}
