import PGWire
import Sessions
import Testing

@Suite struct FrontendScannerTests {
    private func messages(_ write: (inout MessageWriter) -> Void) -> [UInt8] {
        var writer = MessageWriter()
        write(&writer)
        return writer.take()
    }

    private var everyKind: [UInt8] {
        self.messages {
            $0.query("select 1")
            $0.parse(name: "", query: "copy t from stdin")
            $0.bind(portal: "", statement: "", parameters: [bytes("x"), nil])
            $0.describe(kind: .portal, name: "")
            $0.execute(portal: "")
            $0.flush()
            $0.close(kind: .statement, name: "s")
            $0.sync()
            $0.copyData(bytes("1\t2\n"))
            $0.copyDone()
            $0.copyFail("no")
            $0.sync()
            $0.raw(frame("F", [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
        }
    }

    // MARK: Splits

    @Test func everySplitForwardsTheSameBytesAndOwesTheSame() {
        let stream = self.everyKind
        var whole = FrontendFeed()
        whole.read(stream)
        #expect(whole.forwarded == stream)
        #expect(whole.ledger.owedCount == 4)
        #expect(whole.stops.isEmpty)
        for split in splits(of: stream) {
            var feed = FrontendFeed()
            for chunk in split { feed.read(chunk) }
            #expect(feed.forwarded == stream)
            #expect(feed.unreadCount == 0)
            #expect(feed.scanner.isAtBoundary)
            #expect(LedgerState(feed.ledger) == LedgerState(whole.ledger))
        }
    }

    @Test func bodiesAreForwardedAsTheyCome() {
        var feed = FrontendFeed()
        feed.read(header("d", length: 1_000_004))
        #expect(feed.forwarded.count == 5)
        #expect(!feed.scanner.isAtBoundary)
        let piece = Array(repeating: UInt8(ascii: "X"), count: 1000)
        for index in 1...1000 {
            feed.read(piece)
            #expect(feed.forwarded.count == 5 + index * 1000)
        }
        #expect(feed.scanner.isAtBoundary)
        #expect(feed.stops.isEmpty)
    }

    @Test func terminateStopsAtEverySplit() {
        let before = self.messages { $0.query("select 1") }
        let stream = before + frame("X") + frame("Q", bytes("late\0"))
        for split in splits(of: stream) {
            var feed = FrontendFeed()
            for chunk in split { feed.read(chunk) }
            #expect(feed.stops == [.terminate])
            #expect(feed.forwarded == before)
            #expect(feed.ledger.owedCount == 1)
        }
    }

    // MARK: Resets

    /// What a read gives that begins with this query, and goes on with a Sync.
    private func scan(_ text: String, stopsBehindResets: Bool = true) -> FrontendScanner.Stop {
        let query = self.messages { $0.query(text) }
        let stream = query + frame("S")
        var scanner = FrontendScanner()
        var ledger = AnswerLedger()
        let scan = scanner.scan(stream.span, from: 0, stopsBehindResets: stopsBehindResets, ledger: &ledger)
        #expect(scanner.isAtBoundary)
        #expect(ledger.awaitsReady)
        #expect(ledger.owedCount == (scan.stop == .reset ? 1 : 2))
        #expect(scan.forwarded == (scan.stop == .reset ? query.count : stream.count))
        return scan.stop
    }

    @Test(arguments: [
        "reset x", "RESET ALL", "select 1; Discard /**/ All", "set session authorization default;reset all;close all",
        "reset all" + String(repeating: " ", count: 503),
    ])
    func itStopsBehindAResetWhereItIsAsked(text: String) {
        #expect(self.scan(text) == .reset)
        #expect(self.scan(text, stopsBehindResets: false) == .none)
    }

    @Test(arguments: [
        "", "begin", "select reset from discard", "select 'reset all'", "discard temp",
        "reset all" + String(repeating: " ", count: 504),
    ])
    func itStopsBehindNothingElse(text: String) {
        #expect(self.scan(text) == .none)
    }

    /// What is looked into must be whole; what is longer goes on as it comes.
    @Test func ofAShortQueryNothingIsTakenBeforeItIsWhole() {
        let short = self.messages { $0.query("reset all") }
        for cut in 0..<short.count {
            var scanner = FrontendScanner()
            var ledger = AnswerLedger()
            let part = Array(short[..<cut])
            let scan = scanner.scan(part.span, from: 0, stopsBehindResets: true, ledger: &ledger)
            #expect(scan.stop == .none)
            #expect(scan.forwarded == 0)
            #expect(scanner.isAtBoundary)
            #expect(ledger.isSettled)
        }
        let long = self.messages { $0.query("reset all" + String(repeating: " ", count: 600)) }
        var scanner = FrontendScanner()
        var ledger = AnswerLedger()
        let part = Array(long[..<100])
        let scan = scanner.scan(part.span, from: 0, stopsBehindResets: true, ledger: &ledger)
        #expect(scan.stop == .none)
        #expect(scan.forwarded == 100)
    }

    // MARK: Hostile bytes

    @Test(arguments: [Int32.min, -1, 0, 1, 2, 3, 0x4000_0004, Int32.max])
    func hostileLengthsStop(length: Int32) {
        for kind: Character in ["Q", "P", "S", "d", "c", "X", "F", "B"] {
            let before = frame("S")
            for split in splits(of: before + header(kind, length: length), randomCount: 5) {
                var feed = FrontendFeed()
                for chunk in split { feed.read(chunk) }
                #expect(feed.stops == [.invalidLength])
                #expect(feed.forwarded == before)
                #expect(feed.ledger.owedCount == 1)
            }
            let opening = FrontendScanner().opening(header(kind, length: length).span, at: 0)
            #expect(opening == .invalidLength)
        }
    }

    @Test func theLongestMessageIsAccepted() {
        var feed = FrontendFeed()
        feed.read(header("Q", length: 0x4000_0003))
        #expect(feed.stops.isEmpty)
        #expect(feed.forwarded.count == 5)
        #expect(!feed.scanner.isAtBoundary)
    }

    @Test func unknownKindsStopAtEverySplit() {
        let known = Set("QFSPBEDCHdcfX".utf8)
        let before = self.messages { $0.sync() }
        for kind in UInt8.min...UInt8.max where !known.contains(kind) {
            // A length that is wrong as well makes no difference.
            for tail: [UInt8] in [[0, 0, 0, 4], [0, 0, 0, 0], [0xFF, 0, 0, 0]] {
                let stream = before + [kind] + tail
                for cut in before.count...stream.count {
                    var feed = FrontendFeed()
                    feed.read(Array(stream[..<cut]))
                    feed.read(Array(stream[cut...]))
                    #expect(feed.stops == [.invalidKind])
                    #expect(feed.forwarded == before)
                }
            }
            #expect(FrontendScanner().opening([kind].span, at: 0) == .invalidKind)
            #expect(FrontendScanner().opening([kind, 0, 0, 0, 0].span, at: 0) == .invalidKind)
        }
    }

    @Test func noBytesAtAllNeverTrap() {
        var random = SeededRandom(seed: 7)
        for _ in 0..<3000 {
            let kinds = Array("QFSPBEDCHdcfX\0z".utf8)
            var stream: [UInt8] = []
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                stream.append(kinds[Int.random(in: 0..<kinds.count, using: &random)])
                stream += [0, 0, 0, UInt8.random(in: 0...12, using: &random)]
                let body = Int.random(in: 0...9, using: &random)
                stream += (0..<body).map { _ in UInt8.random(in: 0...255, using: &random) }
            }
            var whole = FrontendFeed()
            whole.read(stream)
            var pieces = FrontendFeed()
            for byte in stream { pieces.read([byte]) }
            #expect(pieces.forwarded == whole.forwarded)
            #expect(pieces.stops == whole.stops)
            #expect(LedgerState(pieces.ledger) == LedgerState(whole.ledger))
        }
    }

    // MARK: Skipping

    @Test func takeSkippedTakesNoMoreThanTheMessage() {
        var scanner = FrontendScanner()
        #expect(scanner.takeSkipped(available: 100) == 0)
        scanner.skipMessage(MessageHeader(kind: UInt8(ascii: "d"), bodyLength: 20))
        #expect(!scanner.isAtBoundary)
        #expect(scanner.takeSkipped(available: 0) == 0)
        #expect(scanner.takeSkipped(available: 7) == 7)
        #expect(scanner.opening(frame("Q", [0]).span, at: 0) == .incomplete)
        #expect(scanner.takeSkipped(available: 100) == 18)
        #expect(scanner.isAtBoundary)
        #expect(scanner.takeSkipped(available: 100) == 0)
        #expect(scanner.opening(frame("Q", [0]).span, at: 0) == .request)
    }

    // MARK: Opening

    @Test func openingWaitsForAWholeMessage() {
        let query = self.messages { $0.query("select 1") }
        let scanner = FrontendScanner()
        for count in 0..<query.count {
            #expect(scanner.opening(Array(query[..<count]).span, at: 0) == .incomplete)
        }
        #expect(scanner.opening(query.span, at: 0) == .request)
        #expect(scanner.opening((frame("d") + query).span, at: 5) == .request)
        #expect(scanner.opening(query.span, at: query.count) == .incomplete)
    }

    @Test func openingOfALongMessageNeedsItsBeginningOnly() {
        let scanner = FrontendScanner()
        let limit = FrontendScanner.wholeMessageLimit
        let long = header("Q", length: 1_000_000) + Array(repeating: 0x20, count: limit - 5)
        #expect(scanner.opening(long.span, at: 0) == .request)
        #expect(scanner.opening(Array(long.dropLast()).span, at: 0) == .incomplete)
        let exact = frame("Q", Array(repeating: 0x20, count: limit - 5))
        #expect(exact.count == limit)
        #expect(scanner.opening(exact.span, at: 0) == .request)
    }

    @Test func openingKnowsEveryKind() {
        let scanner = FrontendScanner()
        for kind: Character in ["Q", "F", "S", "P", "B", "E", "D", "C", "H"] {
            #expect(scanner.opening(frame(kind).span, at: 0) == .request)
        }
        for kind: Character in ["d", "c", "f"] {
            #expect(scanner.opening(frame(kind).span, at: 0) == .strayCopy)
            // Its body need not be there to know that it is dropped.
            #expect(scanner.opening(header(kind, length: 5000).span, at: 0) == .strayCopy)
        }
        #expect(scanner.opening(frame("X").span, at: 0) == .terminate)
        #expect(scanner.opening([UInt8(ascii: "X")].span, at: 0) == .incomplete)
    }

    /// The rest of COPY data whose COPY has ended in the meantime.
    @Test func openingWithinABodyIsIncomplete() {
        var feed = FrontendFeed()
        feed.read(header("d", length: 100))
        #expect(feed.scanner.opening(frame("Q", [0]).span, at: 0) == .incomplete)
    }

    @Test func flushAloneOwesNothing() {
        var feed = FrontendFeed()
        feed.read(frame("H"))
        #expect(feed.forwarded == frame("H"))
        #expect(feed.ledger.isReleasable)
    }

    /// The server reports it as an error in an extended message, and skips everything until Sync.
    @Test func flushWithABodyIsUnsynced() {
        var feed = FrontendFeed()
        feed.read(frame("H", [0]))
        #expect(feed.ledger.isUnsynced)
        #expect(!feed.ledger.isReleasable)
        feed.read(frame("S"))
        feed.ledger.readyReceived(.idle)
        #expect(feed.ledger.isReleasable)
    }

    /// Its error must not pass for the answer to the request behind it.
    @Test func syncWithABodyIsAnsweredByAnErrorFirst() {
        var feed = FrontendFeed()
        feed.read(frame("P", [0, 0, 0, 0]) + frame("S"))
        feed.ledger.copyInReceived()
        feed.read(frame("c") + frame("S"))
        feed.ledger.errorReceived()
        feed.ledger.readyReceived(.idle)
        #expect(feed.ledger.isDoubtful)
        feed.read(frame("S", [0]) + frame("Q", [0]))
        feed.ledger.errorReceived()
        feed.ledger.readyReceived(.idle)
        #expect(!feed.ledger.isReleasable)
        #expect(feed.ledger.owedCount == 1)
        feed.ledger.readyReceived(.idle)
        #expect(feed.ledger.isReleasable)
    }

    @Test func flushWithinCopyDataIsNoRequest() {
        var feed = FrontendFeed()
        feed.read(frame("Q", [0]))
        feed.ledger.copyInReceived()
        feed.read(frame("H"))
        feed.read(frame("c"))
        feed.ledger.completionReceived()
        feed.ledger.readyReceived(.idle)
        #expect(feed.ledger.isReleasable)
    }
}
