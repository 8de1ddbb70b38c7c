/// Reproducible randomness (SplitMix64).
struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678_9ABC_DEF1 }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
}

/// A command as the reference server sees it: what happens when it runs.
enum Command: Sendable, Equatable {
    case plain, failing, begin, commit, copyIn
}

/// A message from a client, without its text.
enum Ask: Sendable, Equatable {
    /// Statements of a simple query.
    case query([Command])
    /// Parse, Bind or Describe, which may fail.
    case prepare(fails: Bool)
    case execute(Command)
    case sync, flush, copyData, copyDone, copyFail
}

/// A message from a server, without its text.
enum Answer: Sendable, Equatable {
    case copyIn, error, complete, prepared, notice
    /// ReadyForQuery; in a transaction block, or in a failed one.
    case ready(inBlock: Bool, failed: Bool)
    /// The connection is broken.
    case fatal
}

/// The main loop of a PostgreSQL server process, as far as it decides which answers come: it skips to Sync after an
/// error in extended messages, ignores Sync and Flush while it reads COPY data, ignores COPY messages elsewhere, and
/// ends the connection when something else comes within COPY.
struct ReferenceServer: Sendable {
    private enum Mode: Equatable {
        case main
        case copy(isExtended: Bool, rest: [Command])
        case dead
    }

    private var mode = Mode.main
    private var isSkipping = false
    private var isUnsynced = false
    private(set) var isInBlock = false
    private(set) var isFailed = false
    private var random: SeededRandom
    /// Per cent of the chances (at its start, at each piece of data, at its end) at which a COPY fails.
    private let copyFailure: Int

    init(seed: UInt64, copyFailure: Int = 25) {
        self.random = SeededRandom(seed: seed ^ 0x5EED)
        self.copyFailure = copyFailure
    }

    var isDead: Bool { self.mode == .dead }
    var isIdle: Bool { self.mode == .main && !self.isSkipping && !self.isUnsynced }

    mutating func receive(_ ask: Ask) -> [Answer] {
        switch self.mode {
        case .dead: return []
        case .copy(let isExtended, let rest): return self.receiveInCopy(ask, isExtended: isExtended, rest: rest)
        case .main: break
        }
        if case .sync = ask {
            self.isSkipping = false
            self.isUnsynced = false
            return [self.ready]
        }
        if self.isSkipping { return [] }
        switch ask {
        case .query(let commands):
            self.isUnsynced = false
            return commands.isEmpty ? [.complete, self.ready] : self.run(commands, isExtended: false)
        case .prepare(let fails):
            self.isUnsynced = true
            return fails ? self.fail(isExtended: true) : [.prepared]
        case .execute(let command):
            self.isUnsynced = true
            return self.run([command], isExtended: true)
        case .sync, .flush, .copyData, .copyDone, .copyFail:
            return []
        }
    }

    private var ready: Answer { .ready(inBlock: self.isInBlock, failed: self.isFailed) }

    private mutating func fail(isExtended: Bool) -> [Answer] {
        self.mode = .main
        if self.isInBlock { self.isFailed = true }
        if isExtended {
            self.isSkipping = true
            return [.error]
        }
        return [.error, self.ready]
    }

    private mutating func run(_ commands: [Command], isExtended: Bool) -> [Answer] {
        var answers: [Answer] = []
        var rest = commands[...]
        while let command = rest.popFirst() {
            if self.isFailed, command != .commit { return answers + self.fail(isExtended: isExtended) }
            switch command {
            case .plain: answers.append(.complete)
            case .failing: return answers + self.fail(isExtended: isExtended)
            case .begin:
                self.isInBlock = true
                answers.append(.complete)
            case .commit:
                self.isInBlock = false
                self.isFailed = false
                answers.append(.complete)
            case .copyIn:
                answers.append(.copyIn)
                // A statement trigger may fail before the first byte is read.
                if self.random.chance(self.copyFailure) { return answers + self.fail(isExtended: isExtended) }
                self.mode = .copy(isExtended: isExtended, rest: Array(rest))
                return answers
            }
        }
        return isExtended ? answers : answers + [self.ready]
    }

    private mutating func receiveInCopy(_ ask: Ask, isExtended: Bool, rest: [Command]) -> [Answer] {
        switch ask {
        case .sync, .flush: return []
        case .copyData: return self.random.chance(self.copyFailure) ? self.fail(isExtended: isExtended) : []
        case .copyFail: return self.fail(isExtended: isExtended)
        case .copyDone:
            if self.random.chance(self.copyFailure) { return self.fail(isExtended: isExtended) }
            self.mode = .main
            return [.complete] + self.run(rest, isExtended: isExtended)
        case .query, .prepare, .execute:
            self.mode = .dead
            return [.fatal]
        }
    }
}
