/// Follows the tokens of one text: where its statements begin and end, and what their first words say.
///
/// Statements end as the grammar has it: at semicolons outside of parentheses (`CREATE RULE`) and of
/// `BEGIN ATOMIC ... END` (functions in SQL).
struct StatementReader {
    private(set) var traits: StatementTraits = []
    private(set) var deallocated: [[UInt8]] = []
    private(set) var statementCount = 0

    /// Where in a statement the reader is. In `body` nothing but single words counts any more.
    enum Phase: UInt8 {
        case start, body
        case deallocate, deallocatePrepare, discard, prepare, prepareTransaction
        case begin, beginKind, startTransaction
        case explain
        case set
        /// Behind SET LOCAL, SET GLOBAL or SET TRANSACTION; `local.x` is a parameter of the session.
        case setScope
        /// Behind CREATE; then up to the first AS; right behind that AS.
        case create, createObject, createAs
        /// CREATE FUNCTION or PROCEDURE up to BEGIN; right behind that BEGIN.
        case createRoutine, routineBegin
    }

    /// The token before, as far as it changes the meaning of the next word.
    private enum Before: UInt8 {
        case other, dot, insert, into
    }

    private var phase = Phase.start
    private var before = Before.other
    /// Open parentheses.
    private var depth = 0
    /// No token of the present statement has been seen.
    private var isEmpty = true
    /// Within `BEGIN ATOMIC`, where statements begin and end that are part of another.
    private var isAtomic = false
    private var hasPlainBegin = false
    /// UPDATE has been seen, in whatever statement.
    private var hasUpdate = false

    mutating func end(isUnfinished: Bool) {
        if isUnfinished {
            self.traits.insert(.unfinished)
            self.other(.unfinished)
        }
        self.isAtomic = false
        self.endStatement()
        if self.statementCount > 1 { self.traits.insert(.multiple) }
        if self.statementCount == 1, self.hasPlainBegin { self.traits.insert(.begin) }
    }

    mutating func semicolon() {
        self.before = .other
        if self.depth == 0 { self.endStatement() }
    }

    private mutating func endStatement() {
        switch self.phase {
        case .begin, .beginKind: self.hasPlainBegin = true
        // PREPARE is not reserved: here it is the name.
        case .deallocatePrepare: self.deallocates(Array("prepare".utf8))
        default: break
        }
        self.phase = .start
        if self.isAtomic || self.isEmpty { return }
        self.statementCount &+= 1
        self.isEmpty = true
    }

    // MARK: Tokens that are no words

    @inline(__always)
    mutating func other(_ token: SQLLexer.Token) {
        self.before = .other
        self.isEmpty = false
        if self.phase != .body, self.depth == 0 { self.interrupt(token) }
    }

    mutating func dot() {
        self.other(.dot)
        self.before = .dot
    }

    mutating func open() {
        self.other(.open)
        self.depth &+= 1
    }

    mutating func close() {
        // What stands in parentheses is one token to the phases, which they saw when it opened.
        self.other(.close)
        if self.depth > 0 { self.depth &-= 1 }
    }

    private mutating func interrupt(_ token: SQLLexer.Token) {
        switch self.phase {
        case .createObject, .createRoutine: return
        // Its options.
        case .explain where token == .open: return
        case .routineBegin: self.phase = .createRoutine
        case .prepareTransaction where token == .open: self.note(.prepare)
        case .set: self.note(.set)
        case .setScope where token == .dot: self.note(.set)
        default: self.phase = .body
        }
    }

    /// A name in quotes, which is never a keyword.
    mutating func name(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>, _ token: SQLLexer.Token) {
        if self.depth == 0 {
            switch self.phase {
            case .deallocate, .deallocatePrepare:
                if token == .unicodeName {
                    self.traits.insert(.unreadableName)
                    self.note(.deallocate)
                } else if range.count > 2 {
                    self.deallocates(SQLName.quoted(bytes, range))
                }
            case .prepare: self.note(.prepare)
            case .set: self.note(.set)
            default: break
            }
        }
        if token == .quotedName { self.mention(bytes, range.lowerBound &+ 1, range.count &- 2) }
        self.other(token)
    }

    // MARK: Words

    @inline(__always)
    mutating func word(_ bytes: borrowing Span<UInt8>, _ start: Int, _ count: Int) {
        // Most words are of no interest, which one letter tells.
        if self.phase == .body, self.before != .into, !Self.canCount(bytes[start]) {
            self.before = .other
        } else {
            self.read(bytes, start, count)
        }
    }

    private mutating func read(_ bytes: borrowing Span<UInt8>, _ start: Int, _ count: Int) {
        let word = SQLWord(start: start, count: count)
        let before = self.before
        self.before = .other
        self.mention(bytes, start, count)
        if before == .dot { return }
        switch count {
        case 4 where word.equals(bytes, "into"):
            if before != .insert { self.before = .into }
        // Further on they may be names (`SELECT 1 AS insert INTO TEMP t`).
        case 5 where self.phase != .body && word.equals(bytes, "merge"): self.before = .insert
        case 6 where self.phase != .body && word.equals(bytes, "insert"): self.before = .insert
        default: if before == .into { self.target(bytes, start, count) }
        }
        if self.phase != .body, self.depth == 0 { self.advance(bytes, start, count) }
        self.isEmpty = false
    }

    /// In a body: INSERT, INTO, MERGE, UPDATE, and what `mention` knows.
    @inline(__always)
    private static func canCount(_ first: UInt8) -> Bool {
        switch first | 0x20 {
        case UInt8(ascii: "i"), UInt8(ascii: "m"), UInt8(ascii: "p"), UInt8(ascii: "s"), UInt8(ascii: "u"): true
        default: false
        }
    }

    /// A word that counts wherever it stands, as a name in quotes does.
    @inline(__always)
    private mutating func mention(_ bytes: borrowing Span<UInt8>, _ start: Int, _ count: Int) {
        let word = SQLWord(start: start, count: count)
        switch count {
        case 6 where word.equals(bytes, "update"): self.hasUpdate = true
        case 7 where word.equals(bytes, "pg_temp"): self.traits.insert(.temporary)
        // A rule of this view sets the parameter.
        case 11 where self.hasUpdate && word.equals(bytes, "pg_settings"): self.traits.insert(.setConfig)
        case 10 where word.equals(bytes, "set_config"): self.traits.insert(.setConfig)
        case 16 where word.equals(bytes, "pg_advisory_lock"),
            20 where word.equals(bytes, "pg_try_advisory_lock"),
            23 where word.equals(bytes, "pg_advisory_lock_shared"),
            27 where word.equals(bytes, "pg_try_advisory_lock_shared"):
            self.traits.insert(.advisoryLock)
        default: if word.isNumberedTemporarySchema(bytes) { self.traits.insert(.temporary) }
        }
    }

    /// The word behind the INTO of a SELECT.
    private mutating func target(_ bytes: borrowing Span<UInt8>, _ start: Int, _ count: Int) {
        switch StatementKeyword.find(bytes, start, count) {
        case .temporary: self.traits.insert(.temporary)
        case .scope: self.before = .into
        default: return
        }
    }

    private mutating func advance(_ bytes: borrowing Span<UInt8>, _ start: Int, _ count: Int) {
        let keyword = StatementKeyword.find(bytes, start, count)
        switch self.phase {
        case .body: return
        case .start: self.begins(with: keyword)
        case .explain: if keyword != .explainOption { self.begins(with: keyword) }
        case .deallocate, .deallocatePrepare:
            if keyword == .all {
                self.note(.deallocateAll)
            } else if keyword == .prepare, self.phase == .deallocate {
                self.phase = .deallocatePrepare
            } else {
                self.deallocates(SQLName.folded(bytes, start..<(start &+ count)))
            }
        case .discard: if keyword == .all { self.note(.discardAll) } else { self.phase = .body }
        case .prepare: if keyword == .transaction { self.phase = .prepareTransaction } else { self.note(.prepare) }
        case .prepareTransaction: self.note(.prepare)
        case .begin: self.phase = keyword == .transaction || keyword == .work ? .beginKind : .body
        case .beginKind: self.phase = .body
        case .set:
            if keyword == .scope || keyword == .transaction { self.phase = .setScope } else { self.note(.set) }
        case .setScope: self.phase = .body
        case .startTransaction: self.phase = keyword == .transaction ? .beginKind : .body
        case .create, .createObject, .createAs, .createRoutine, .routineBegin: self.creates(keyword)
        }
    }

    private mutating func begins(with keyword: StatementKeyword) {
        switch keyword {
        case .deallocate: self.phase = .deallocate
        case .discard: self.phase = .discard
        case .prepare: self.phase = .prepare
        case .execute: self.note(.execute)
        case .begin: self.phase = self.isEmpty ? .begin : .body
        case .start: self.phase = self.isEmpty ? .startTransaction : .body
        case .explain: self.phase = .explain
        case .set: self.phase = .set
        case .create: self.phase = .create
        case .copy: self.note(.copy)
        case .fetch: self.note(.fetch)
        case .reset: self.note(.reset)
        case .end:
            // No statement of a function's body begins like that: the body is over.
            self.isAtomic = false
            self.phase = .body
        default: self.phase = .body
        }
    }

    private mutating func creates(_ keyword: StatementKeyword) {
        switch (self.phase, keyword) {
        case (.create, .orReplace), (.create, .scope): return
        case (.create, .temporary):
            self.traits.insert(.temporary)
            self.phase = .createObject
        case (.create, .routine): self.phase = .createRoutine
        case (.create, _): self.phase = .createObject
        case (.createObject, .as): self.phase = .createAs
        case (.createAs, .execute): self.note(.execute)
        case (.createAs, _): self.phase = .body
        case (.createRoutine, .begin): self.phase = .routineBegin
        case (.routineBegin, .atomic):
            self.isAtomic = true
            self.phase = .start
        case (.routineBegin, _): self.phase = keyword == .begin ? .routineBegin : .createRoutine
        default: return
        }
    }

    /// What the statement is about is settled.
    private mutating func note(_ trait: StatementTraits) {
        self.traits.insert(trait)
        self.phase = .body
    }

    private mutating func deallocates(_ name: [UInt8]) {
        self.deallocated.append(name)
        self.note(.deallocate)
    }
}
