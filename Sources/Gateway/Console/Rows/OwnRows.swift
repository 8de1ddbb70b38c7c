/// A row of `SHOW HELP`. Made from the command table; immutable.
struct HelpRow: ConsoleRow, Equatable {
    let item: String

    static let fields: [ConsoleField<Self>] = [
        .text("item", "A command, or the `SHOW` commands joined by `|`") { $0.item }
    ]

    /// One row for all `SHOW` commands, as users of other poolers know it, then one for each other command.
    static var rows: [HelpRow] {
        let targets = ConsoleCommand.showTargets.joined(separator: "|")
        let others = ConsoleCommand.all.filter { !$0.isShow }.map(\.name)
        return ([ConsoleCommand.show + " " + targets] + others).map(HelpRow.init)
    }
}

/// The only row of `SHOW VERSION`. Immutable.
struct VersionRow: ConsoleRow, Equatable {
    let version: String

    static let fields: [ConsoleField<Self>] = [
        .text("version", "`pggateway` and the version of the running process") { $0.version }
    ]
}

/// The only row of `SHUTDOWN`. The gateway fills it; immutable afterwards.
package struct ShutdownRow: ConsoleRow, Equatable {
    /// True when the graceful stop has begun.
    package var success: Bool

    package init(success: Bool) {
        self.success = success
    }

    package static let fields: [ConsoleField<Self>] = [
        .text("success", "`t` when the graceful stop has begun, else `f`") { $0.success ? "t" : "f" }
    ]
}
