import PGWire
import Sessions
import Testing

@Suite struct BackendScannerTests {
    private func messages(_ write: (inout MessageWriter) -> Void) -> [UInt8] {
        var writer = MessageWriter()
        write(&writer)
        return writer.take()
    }

    private func error(_ message: String) -> [UInt8] {
        self.messages {
            $0.errorResponse(ServerMessageFields(severity: .error, sqlState: .syntaxError, message: message))
        }
    }

    private var everyKind: [UInt8] {
        self.messages {
            $0.parseComplete()
            $0.bindComplete()
            $0.parameterDescription([23])
            $0.rowDescription([.text("a")])
            $0.dataRow([bytes("value"), nil])
            $0.commandComplete("SELECT 1")
            $0.closeComplete()
            $0.noData()
            $0.portalSuspended()
            $0.emptyQueryResponse()
            $0.parameterStatus(name: "TimeZone", value: "UTC")
            $0.raw(self.error("wrong"))
            $0.readyForQuery(.failed)
            $0.notificationResponse(processID: 1, channel: "c", payload: "p")
            $0.noticeResponse(ServerMessageFields(severity: .notice, sqlState: .syntaxError, message: "hm"))
            $0.raw(frame("H", [0, 0, 1, 0, 0]) + frame("d", bytes("row\n")) + frame("c"))
            $0.commandComplete("COPY 1")
            $0.raw(frame("V", [0, 0, 0, 0]))
            $0.raw(frame("G", [0, 0, 1, 0, 0]))
            $0.commandComplete("SET")
            $0.readyForQuery(.idle)
        }
    }

    // MARK: Splits

    @Test(arguments: [false, true])
    func everySplitTakesTheSameBytesAndSettlesTheSame(stopsAtReady: Bool) {
        let stream = self.everyKind
        func feed(_ chunks: [[UInt8]]) -> BackendFeed {
            var feed = BackendFeed(stopsAtReady: stopsAtReady)
            for _ in 0..<2 { feed.ledger.querySent() }
            for chunk in chunks { feed.read(chunk) }
            return feed
        }
        let whole = feed([stream])
        let ready: [BackendScanner.Stop] = stopsAtReady ? [.ready] : []
        #expect(whole.taken == stream)
        #expect(whole.stops == [.parameterStatus, .error] + ready + ready)
        #expect(whole.ledger.owedCount == 0)
        #expect(whole.ledger.status == .idle)
        for split in splits(of: stream) {
            let pieces = feed(split)
            #expect(pieces.taken == stream)
            #expect(pieces.unreadCount == 0)
            #expect(pieces.stops == whole.stops)
            #expect(pieces.bodies == whole.bodies)
            #expect(pieces.scanner.isAtBoundary)
            #expect(pieces.scanner.residue == whole.scanner.residue)
            #expect(LedgerState(pieces.ledger) == LedgerState(whole.ledger))
        }
    }

    @Test func rowsFlowAsTheyCome() {
        var feed = BackendFeed()
        feed.read(header("D", length: 1_000_004))
        #expect(feed.taken.count == 5)
        let piece = Array(repeating: UInt8(ascii: "Z"), count: 1000)
        for index in 1...1000 {
            feed.read(piece)
            #expect(feed.taken.count == 5 + index * 1000)
        }
        #expect(feed.scanner.isAtBoundary)
    }

    // MARK: Messages that are looked into

    @Test func inspectedMessagesAreHeldBackUntilTheyAreWhole() {
        let messages = [
            frame("Z", [0x49]), frame("C", bytes("SET\0")), self.error("wrong"), frame("S", bytes("a\0b\0")),
        ]
        for message in messages {
            for count in 0..<message.count {
                var feed = BackendFeed()
                feed.read(frame("1") + message[..<count])
                #expect(feed.taken == frame("1"))
                #expect(feed.unreadCount == count)
                #expect(feed.scanner.isAtBoundary)
                feed.read(Array(message[count...]))
                #expect(feed.taken == frame("1") + message)
            }
        }
    }

    @Test func bodiesOfErrorsAndParametersAreShown() {
        var feed = BackendFeed()
        feed.read(frame("2") + self.error("wrong") + frame("S", bytes("a\0b\0")) + frame("Z", [0x45]))
        #expect(feed.stops == [.error, .parameterStatus])
        #expect(feed.bodies == [Array(self.error("wrong").dropFirst(5)), bytes("a\0b\0")])
        #expect(feed.ledger.status == .failed)
    }

    @Test func errorsAreRememberedUntilReadyForQuery() {
        var feed = BackendFeed()
        feed.read(self.error("wrong"))
        #expect(feed.scanner.endedWithError)
        feed.read(frame("Z", [0x49]))
        #expect(!feed.scanner.endedWithError)
    }

    @Test(arguments: ["E", "S", "C"] as [Character])
    func overlongInspectedMessagesPassUnseen(kind: Character) {
        let long = frame(kind, bytes("DISCARD ALL") + Array(repeating: 0x20, count: 20_000))
        for cut in [5, 6, 16, 17, 100, 8192, 20_000] {
            var feed = BackendFeed()
            feed.scanner.residue.hasListens = true
            feed.read(Array(long[..<cut]))
            #expect(feed.taken.count == cut)
            feed.read(Array(long[cut...]))
            #expect(feed.taken == long)
            // That there is an error is told once, with nothing of it.
            #expect(feed.stops == (kind == "E" ? [.error] : []))
            #expect(feed.scanner.isAtBoundary)
            #expect(feed.scanner.residue.hasListens)
            #expect(feed.scanner.endedWithError == (kind == "E"))
        }
    }

    @Test func theLongestInspectedMessageIsHeldBack() {
        let body = BackendScanner.inspectedLimit - MessageHeader.size
        let held = frame("E", Array(repeating: 0, count: body))
        var feed = BackendFeed()
        feed.read(Array(held.dropLast()))
        #expect(feed.taken.isEmpty)
        feed.read([0])
        #expect(feed.taken == held)
        #expect(feed.stops == [.error])
    }

    @Test func anOverlongErrorEndsTheCopyToo() {
        var feed = BackendFeed()
        feed.ledger.querySent()
        feed.read(frame("G", [0, 0, 1, 0, 0]))
        #expect(feed.ledger.isCopyIn)
        feed.read(Array(frame("E", Array(repeating: 0x41, count: 20_000)).prefix(100)))
        #expect(!feed.ledger.isCopyIn)
    }

    @Test func scanningStopsAtEachReadyForQueryOnRequest() {
        var scanner = BackendScanner()
        var ledger = AnswerLedger()
        ledger.querySent()
        ledger.querySent()
        let stream = frame("C", bytes("SET\0")) + frame("Z", [0x54]) + frame("Z", [0x49])
        let first = scanner.scan(stream.span, from: 0, stopsAtReady: true, ledger: &ledger)
        #expect(first.stop == .ready)
        #expect(first.taken == stream.count - 6)
        #expect(ledger.status == .inTransaction)
        let second = scanner.scan(stream.span, from: first.taken, stopsAtReady: true, ledger: &ledger)
        #expect(second.stop == .ready)
        #expect(second.taken == 6)
        #expect(ledger.isReleasable)
    }

    // MARK: Hostile bytes

    @Test(arguments: [Int32.min, -1, 0, 1, 2, 3, 0x4000_0004, Int32.max])
    func hostileLengthsStop(length: Int32) {
        for kind: Character in ["D", "Z", "E", "C", "S", "d", "T"] {
            for split in splits(of: frame("1") + header(kind, length: length), randomCount: 5) {
                var feed = BackendFeed()
                for chunk in split { feed.read(chunk) }
                #expect(feed.stops == [.invalid])
                #expect(feed.taken == frame("1"))
            }
        }
    }

    @Test func unknownKindsStop() {
        let known = Set("DdZCESGW123AHINTVcnst".utf8)
        for kind in UInt8.min...UInt8.max where !known.contains(kind) {
            let message = [kind, 0, 0, 0, 6, 0, 0]
            for cut in 0...message.count {
                var feed = BackendFeed()
                feed.read(frame("1") + message[..<cut])
                feed.read(Array(message[cut...]))
                #expect(feed.stops == [.invalid])
                // Nothing of it reaches the client, whose stream stays in step.
                #expect(feed.taken == frame("1"))
                #expect(feed.scanner.isAtBoundary)
            }
        }
    }

    @Test func malformedReadyForQueryIsNoAnswer() {
        let malformed = [
            frame("Z"), frame("Z", [0x58]), frame("Z", [0x49, 0x49]), frame("Z", [0]),
            // Its length says more than has come.
            header("Z", length: 9000) + [0x49],
        ]
        for message in malformed {
            var feed = BackendFeed()
            feed.ledger.querySent()
            feed.read(frame("1") + message)
            #expect(feed.stops == [.invalid])
            #expect(feed.taken == frame("1"))
            #expect(feed.ledger.owedCount == 1)
        }
    }

    @Test func randomBytesScanTheSameInPieces() {
        var random = SeededRandom(seed: 11)
        let kinds = Array("DdZCESGW123AHINTVcnst\0z".utf8)
        for _ in 0..<3000 {
            var stream: [UInt8] = []
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                stream.append(kinds[Int.random(in: 0..<kinds.count, using: &random)])
                stream += [0, 0, 0, UInt8.random(in: 3...9, using: &random)]
                stream += (0..<Int.random(in: 0...5, using: &random)).map { _ in
                    UInt8.random(in: 0x40...0x60, using: &random)
                }
            }
            var whole = BackendFeed()
            whole.read(stream)
            var pieces = BackendFeed()
            for byte in stream { pieces.read([byte]) }
            #expect(pieces.taken == whole.taken)
            #expect(pieces.stops == whole.stops)
            #expect(LedgerState(pieces.ledger) == LedgerState(whole.ledger))
            #expect(pieces.scanner.residue == whole.scanner.residue)
        }
    }

    /// What the gateway applied in a client's name goes with RESET and DISCARD ALL, and with nothing else.
    @Test(arguments: ["RESET", "DISCARD ALL", "SET", "SELECT 1", "CLOSE CURSOR"])
    func tagsThatTakeParametersAway(tag: String) {
        var feed = BackendFeed()
        feed.read(self.messages { $0.commandComplete(tag) })
        #expect(feed.scanner.lostParameters == (tag == "DISCARD ALL"))
        #expect(feed.scanner.hasReset == (tag == "RESET"))
        feed.scanner.forgetResets()
        #expect(!feed.scanner.lostParameters && !feed.scanner.hasReset)
    }

    /// Nothing is left of which a RESET before could have taken a part.
    @Test func discardAllTakesEverythingThatResetMayHaveTaken() {
        var feed = BackendFeed()
        feed.read(self.messages { $0.commandComplete("RESET") } + self.messages { $0.commandComplete("DISCARD ALL") })
        #expect(feed.scanner.lostParameters && !feed.scanner.hasReset)
    }

    // MARK: Doubt

    /// Any answer but a notice settles what a failed COPY left open.
    @Test func answersEndDoubt() {
        let answers = [
            frame("1"), frame("2"), frame("3"), frame("T"), frame("t"), frame("n"), frame("I"), frame("H"),
            frame("V"), frame("s"), frame("C", bytes("SELECT 0\0")), self.error("next"), frame("G", [0, 0, 0]),
        ]
        for answer in answers {
            var feed = self.doubtful()
            feed.read(answer)
            #expect(!feed.ledger.isAmbiguous, "\(answer)")
        }
    }

    @Test func noticesEndNoDoubt() {
        var feed = self.doubtful()
        feed.read(frame("N", [0]) + frame("A", [0]) + frame("S", bytes("a\0b\0")))
        #expect(feed.ledger.isDoubtful)
    }

    private func doubtful() -> BackendFeed {
        var feed = BackendFeed()
        feed.ledger.extendedSent()
        feed.ledger.syncSent()
        feed.read(frame("G", [0, 0, 0]))
        feed.ledger.copyEndSent()
        feed.ledger.syncSent()
        feed.read(self.error("wrong") + frame("Z", [0x49]))
        feed.ledger.extendedSent()
        feed.ledger.syncSent()
        #expect(feed.ledger.isDoubtful)
        return feed
    }
}
