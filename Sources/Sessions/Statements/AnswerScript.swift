/// What the messages passed on to a server will be answered with, in order, and what is to be done with each answer:
/// passed to the client, kept from it, or preceded by an answer of the gateway's own.
///
/// PostgreSQL answers strictly in order, and each message of the extended protocol has exactly one message that ends
/// its answer (protocol chapter, "Extended Query"). So one queue with a token for each message says, for each answer
/// that comes, whose it is; nothing is counted or guessed. An ErrorResponse answers the token at the head and every
/// token behind it up to the next Sync.
///
/// Belongs to a server connection and covers one client's turn.
package struct AnswerScript: Sendable {
    /// One message sent to the server, or one answer that the gateway gives in its place.
    struct Token {
        var kind: Kind
        var edit = Edit.none
        /// `inject`, `substitute`: the index in `texts`, or one of the negative constants. `bind`,
        /// `describeStatement`: the statement's id.
        var payload: Int64 = 0
        /// `bind`: where the client's name of the statement stands in `names`.
        var name: Int32 = 0
        var nameLength: UInt16 = 0

        /// `payload` is an index into `texts`.
        var hasText: Bool { self.payload >= 0 && (self.kind == .inject || self.edit == .substitute) }
        /// `name` is an index into `names`.
        var hasName: Bool { self.name >= 0 && self.nameLength > 0 }
    }

    enum Kind: UInt8 {
        case parse, bind, describeStatement, describePortal, execute, close
        /// Malformed: nothing but an error comes of it.
        case failing
        case sync, query, functionCall
        /// Answered here: its message stands in `payload`.
        case inject
        /// A Sync that the server ignores, because it reads it within COPY.
        case void
        /// A Close of the gateway's own: whatever comes before its answer answers something in front of it.
        case probe

        var isTerminator: Bool { self == .sync || self == .query || self == .functionCall }
    }

    enum Edit: UInt8 {
        case none
        /// The client did not ask: it must not see the answer, unless that is an error.
        case swallow
        /// The same, and an error of it was told before.
        case hide
        /// An ErrorResponse is replaced by the text of `payload`.
        case substitute
    }

    static let parseComplete: Int64 = -1
    static let closeComplete: Int64 = -2

    /// Bytes of names that are kept; errors about later Binds show the server's name.
    private static let namesMax = 256 * 1024
    /// Messages a client may have under way; more wait until some were answered.
    static let tokensMax = 4 * 1024
    /// Bytes of texts that may wait to be told; more wait as well.
    static let textsMax = 256 * 1024

    var tokens: ContiguousArray<Token> = []
    var head = 0
    /// The sequence number of `tokens[0]`.
    var base = 0
    var texts: [[UInt8]] = []
    /// Their bytes, those of texts told meanwhile included until they are forgotten.
    var textBytes = 0
    /// The names in the Binds under way, for the texts of errors.
    var names: ContiguousArray<UInt8> = []
    /// The next answer is to be kept back, replaced, or preceded by one of the gateway's.
    package internal(set) var isEditing = false
    /// An answer of the gateway's own is next. Kept, not found out: whoever asks would copy the script for it.
    package internal(set) var isInjectionNext = false
    /// The server ignores everything up to the next Sync, which was not sent yet.
    var isSkipping = false
    /// Terminators (Sync, Query, FunctionCall) pushed and answered in this turn: the number of a batch.
    var batch = 0
    var answeredBatch = 0
    /// Tokens of the open batch: pushed since the last terminator.
    var openCount = 0
    /// The sequence number of the last message that was sent to the server.
    private var lastSent = -1
    /// Messages were sent that the server may not answer before it gets Flush or Sync.
    var isUnflushed = false
    /// See `AnswerScript+Inquiry.swift`.
    var inquiry = Inquiry()

    package init() {}

    package var isEmpty: Bool { self.head == self.tokens.count }
    /// Nothing is left of an earlier turn.
    var isFresh: Bool { self.isEmpty && !self.awaitsReady && !self.isSkipping && !self.inquiry.isOpen }
    var isFull: Bool { self.tokens.count &- self.head >= Self.tokensMax || self.textBytes >= Self.textsMax }
    /// Messages with a lower sequence number were answered or skipped.
    var answeredSequence: Int { self.base &+ self.head }
    /// The sequence number of the token that comes next.
    var nextSequence: Int { self.base &+ self.tokens.count }
    /// Sync, Query or FunctionCall are under way, so the transaction status at their end is not known yet.
    var awaitsReady: Bool { self.batch != self.answeredBatch }
    /// Messages of the open batch are under way.
    var hasOpenTokens: Bool { self.openCount > 0 && !self.isEmpty }
    /// Only answers of the gateway's own are due.
    package var isAllInjected: Bool { self.lastSent < self.answeredSequence }

    package mutating func reset() {
        self.base = self.nextSequence
        self.tokens.removeAll(keepingCapacity: self.tokens.capacity <= 1024)
        if !self.texts.isEmpty { self.texts.removeAll() }
        self.textBytes = 0
        self.names.removeAll(keepingCapacity: self.names.capacity <= 1024)
        self.head = 0
        self.isEditing = false
        self.isInjectionNext = false
        self.isSkipping = false
        self.batch = 0
        self.answeredBatch = 0
        self.openCount = 0
        self.isUnflushed = false
        self.inquiry = Inquiry()
    }

    // MARK: Towards the server

    mutating func push(_ kind: Kind, edit: Edit = .none, payload: Int64 = 0) {
        self.push(Token(kind: kind, edit: edit, payload: payload))
    }

    private mutating func push(_ token: Token) {
        let (kind, edit) = (token.kind, token.edit)
        if kind != .inject {
            self.isUnflushed = true
            self.lastSent = self.nextSequence
        }
        self.tokens.append(token)
        self.openCount &+= 1
        if edit != .none || kind == .inject { self.refresh() }
    }

    /// A terminator was sent.
    mutating func pushTerminator(_ kind: Kind, edit: Edit = .none, payload: Int64 = 0) {
        self.push(kind, edit: edit, payload: payload)
        self.batch &+= 1
        self.openCount = 0
        self.isUnflushed = false
        self.isSkipping = false
    }

    mutating func pushInjected(_ text: [UInt8]) {
        self.push(.inject, payload: self.keep(text))
    }

    /// A message whose only answer is an error, which the client gets as `error`.
    mutating func pushRefused(_ kind: Kind, error: [UInt8]) {
        let payload = self.keep(error)
        if kind.isTerminator {
            self.pushTerminator(kind, edit: .substitute, payload: payload)
        } else {
            self.push(kind, edit: .substitute, payload: payload)
        }
    }

    private mutating func keep(_ text: [UInt8]) -> Int64 {
        self.texts.append(text)
        self.textBytes &+= text.count
        return Int64(self.texts.count - 1)
    }

    /// Bind of a statement that servers know by another name than the client does.
    mutating func pushBind(_ statement: StatementID, name: borrowing Span<UInt8>) {
        var token = Token(kind: .bind, payload: statement, name: Int32(clamping: self.names.count))
        if self.names.count < Self.namesMax {
            token.nameLength = UInt16(clamping: name.count)
            unsafe name.withUnsafeBufferPointer { unsafe self.names.append(contentsOf: $0) }
        } else {
            token.name = -1
        }
        self.push(token)
    }

    func name(of token: Token) -> [UInt8]? {
        if token.nameLength == 0, token.name >= 0 { return [] }
        let end = Int(token.name) + Int(token.nameLength)
        return token.name < 0 || end > self.names.count ? nil : Array(self.names[Int(token.name)..<end])
    }

    /// The completion of a COPY by Execute waits for Flush or Sync as any other answer does.
    mutating func copyEndSent() {
        if self.hasOpenTokens { self.isUnflushed = true }
    }

    mutating func flushed() { self.isUnflushed = false }
}
