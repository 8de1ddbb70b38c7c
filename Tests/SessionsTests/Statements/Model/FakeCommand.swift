/// The few SQL texts that the fake backend understands.
enum FakeCommand: Equatable {
    case empty
    case begin, commit, rollback
    case deallocate([UInt8])
    case deallocateAll, discardAll
    /// A query of so many rows.
    case rows(Int)
    /// `select $1`: one row with the parameter.
    case echo
    /// Its result type depends on the `search_path` it was prepared under.
    case place
    /// Fails when it runs.
    case divideByZero
    case update
    case copyIn
    /// Fails when so many pieces of data and Syncs were read; by a trigger, say, or because it is cancelled.
    case copyTrapped(Int)
    /// Fails at its end.
    case copyLate
    /// The parser refuses it.
    case syntaxError
    /// The parser does not mind it, its analysis fails.
    case missingTable
    /// More than one statement: fine in a simple query only.
    case several

    /// The commands of a simple query, empty ones left out; nil when the parser refuses the whole text.
    static func split(_ text: String) -> [FakeCommand]? {
        var commands: [FakeCommand] = []
        for part in text.split(separator: ";") {
            let command = FakeCommand(single: String(part))
            if command == .syntaxError { return nil }
            if command != .empty { commands.append(command) }
        }
        return commands
    }

    /// As the text of a Parse.
    init(_ text: [UInt8]) {
        let text = String(decoding: text, as: UTF8.self)
        guard text.contains(";") else {
            self = FakeCommand(single: text)
            return
        }
        guard let commands = FakeCommand.split(text) else {
            self = .syntaxError
            return
        }
        self = commands.count > 1 ? .several : commands.first ?? .empty
    }

    private init(single text: String) {
        let words = text.split(separator: " ").map(String.init)
        guard let first = words.first?.lowercased() else {
            self = .empty
            return
        }
        if first == "deallocate", words.count == 2 {
            self = FakeCommand.deallocation(words[1])
            return
        }
        if words.starts(with: ["copy", "trapped"]), words.count == 5, let count = Int(words[2]) {
            self = .copyTrapped(count)
            return
        }
        switch words.joined(separator: " ").lowercased() {
        case "begin": self = .begin
        case "commit": self = .commit
        case "rollback": self = .rollback
        case "discard all": self = .discardAll
        case "select $1": self = .echo
        case "select * from place": self = .place
        case "select 1/0": self = .divideByZero
        case "update t set a = 1": self = .update
        case "copy t from stdin": self = .copyIn
        case "copy late from stdin": self = .copyLate
        case "select * from missing": self = .missingTable
        case "values (1),(2),(3)": self = .rows(3)
        default: self = first == "select" ? .rows(1) : .syntaxError
        }
    }

    /// Names are cut after 63 bytes; outside of quotes upper case is lower case.
    private static func deallocation(_ word: String) -> FakeCommand {
        if word.lowercased() == "all" { return .deallocateAll }
        let isQuoted = word.hasPrefix("\"") && word.hasSuffix("\"") && word.utf8.count > 2
        let name = isQuoted ? String(word.dropFirst().dropLast()) : word.lowercased()
        return .deallocate(Array(name.utf8.prefix(FakeBackend.nameBytes)))
    }

    /// Allowed in an aborted transaction.
    var isExit: Bool { self == .commit || self == .rollback }

    var isCopy: Bool {
        switch self {
        case .copyIn, .copyTrapped, .copyLate: true
        default: false
        }
    }

    var hasRows: Bool {
        switch self {
        case .rows, .echo, .place, .divideByZero: true
        default: false
        }
    }

    var parameterCount: Int { self == .echo ? 1 : 0 }
}
