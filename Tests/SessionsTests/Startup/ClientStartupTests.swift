import PGWire
import Sessions
import Testing

@Suite struct ClientStartupTests {
    /// What came of a step, comparable.
    enum Event: Equatable {
        case reply(String)
        case cancel(Int32, [UInt8])
        case login(user: String, database: String, version: String, negotiation: [UInt8])
        case refuse(String, String)
        case hangUp
    }

    private func event(_ step: ClientStartup.Step) -> Event? {
        switch step {
        case .wait: nil
        case .reply(let answer): .reply(text(answer))
        case .startTLS, .startDirectTLS: nil
        case .cancel(let request): .cancel(request.processID, request.secret)
        case .login(let login):
            .login(
                user: login.user,
                database: login.database,
                version: login.version.description,
                negotiation: login.negotiation
            )
        case .refuse(let fields): .refuse(fields.sqlState?.text ?? "", fields.message)
        case .hangUp: .hangUp
        }
    }

    /// Feeds reads one after the other; within one, goes on after replies. Stops at the first event that ends start-up.
    private func events(_ reads: [[UInt8]]) -> [Event] {
        var startup = ClientStartup()
        var events: [Event] = []
        for read in reads {
            var offset = 0
            while offset < read.count {
                let (consumed, step) = startup.receive(read.span.extracting(offset..<read.count))
                #expect(consumed > 0 && consumed <= read.count - offset)
                offset += consumed
                guard let event = self.event(step) else { continue }
                events.append(event)
                if case .reply = event { continue }
                return events
            }
        }
        return events
    }

    private func packet(_ write: (inout MessageWriter) -> Void) -> [UInt8] {
        var writer = MessageWriter()
        write(&writer)
        return writer.take()
    }

    private var ssl: [UInt8] { self.packet { $0.sslRequest() } }
    private var gss: [UInt8] { self.packet { $0.gssEncRequest() } }

    private func integer(_ value: Int32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) } }

    /// A StartupMessage from raw body bytes; the length can be made to lie.
    private func startup(code: Int32 = 196_608, body: [UInt8], length: Int32? = nil) -> [UInt8] {
        self.integer(length ?? Int32(body.count + 8)) + self.integer(code) + body
    }

    private func startup(code: Int32 = 196_608, _ parameters: [(String, String)]) -> [UInt8] {
        var body: [UInt8] = []
        for (name, value) in parameters { body += bytes("\(name)\0\(value)\0") }
        return self.startup(code: code, body: body + [0])
    }

    private var plainLogin: Event { .login(user: "u", database: "d", version: "3.0", negotiation: []) }
    private var plainStartup: [UInt8] { self.startup([("user", "u"), ("database", "d")]) }

    // MARK: Encryption requests

    @Test func eachEncryptionRequestIsAnsweredInEitherOrder() {
        #expect(self.events([self.plainStartup]) == [self.plainLogin])
        #expect(self.events([self.ssl, self.plainStartup]) == [.reply("N"), self.plainLogin])
        #expect(self.events([self.gss, self.plainStartup]) == [.reply("N"), self.plainLogin])
        #expect(self.events([self.ssl, self.gss, self.plainStartup]) == [.reply("N"), .reply("N"), self.plainLogin])
        #expect(self.events([self.gss, self.ssl, self.plainStartup]) == [.reply("N"), .reply("N"), self.plainLogin])
    }

    @Test func aSecondRequestOfTheSameKindIsRefused() {
        #expect(self.events([self.ssl, self.ssl]) == [.reply("N"), .refuse("08P01", "duplicate SSL request")])
        #expect(
            self.events([self.gss, self.gss]) == [.reply("N"), .refuse("08P01", "duplicate GSSAPI encryption request")]
        )
        #expect(
            self.events([self.ssl, self.gss, self.ssl])
                == [.reply("N"), .reply("N"), .refuse("08P01", "duplicate SSL request")]
        )
    }

    @Test func bytesStuffedBehindARequestAreRefused() {
        for stuffing in [[0], self.gss, self.plainStartup, [0x16, 3, 1]] {
            #expect(
                self.events([self.ssl + stuffing])
                    == [.refuse("08P01", "received unencrypted data after SSL request")]
            )
            #expect(
                self.events([self.gss, self.ssl + stuffing]).last
                    == .refuse("08P01", "received unencrypted data after SSL request")
            )
        }
        #expect(
            self.events([self.gss + [0]])
                == [.refuse("08P01", "received unencrypted data after GSSAPI encryption request")]
        )
    }

    @Test func requestsWithABodyAreRefused() {
        for code: Int32 in [80_877_103, 80_877_104] {
            let events = self.events([self.startup(code: code, body: [0])])
            #expect(events.count == 1)
            guard case .refuse("08P01", _) = events.first else {
                Issue.record("\(events)")
                continue
            }
        }
    }

    // MARK: Cancel

    @Test(arguments: [4, 5, 32, 256])
    func cancelCarriesItsSecret(count: Int) {
        let secret = (0..<count).map { UInt8(truncatingIfNeeded: $0 + 1) }
        let packet = self.packet { $0.cancelRequest(processID: -7, secret: secret) }
        #expect(self.events([packet]) == [.cancel(-7, secret)])
        #expect(self.events([self.ssl, self.gss, packet]).last == .cancel(-7, secret))
        #expect(self.events(packet.map { [$0] }) == [.cancel(-7, secret)])
    }

    @Test(arguments: [0, 1, 4, 7, 261])
    func cancelWithASecretOutOfBoundsIsNotAnswered(count: Int) {
        let body = Array(repeating: UInt8(1), count: count)
        #expect(self.events([self.startup(code: 80_877_102, body: body)]) == [.hangUp])
    }

    // MARK: Versions

    private func negotiation(minor: Int32, _ names: [String]) -> [UInt8] {
        let body = self.integer(196_608 + minor) + self.integer(Int32(names.count)) + names.flatMap { bytes($0) + [0] }
        return frame("v", body)
    }

    @Test(arguments: [(0, 0, false), (1, 1, false), (2, 2, false), (3, 2, true), (9999, 2, true), (65535, 2, true)])
    func minorVersionsAreNegotiated(asked: Int32, spoken: Int32, isNegotiated: Bool) {
        let expected = Event.login(
            user: "u",
            database: "u",
            version: "3.\(spoken)",
            negotiation: isNegotiated ? self.negotiation(minor: spoken, []) : []
        )
        #expect(self.events([self.startup(code: 196_608 + asked, [("user", "u")])]) == [expected])
    }

    @Test(arguments: [Int32(0x0002_0000), 0x0001_0000, 0x0004_0000, 0, -1, 80_877_105, 0x7FFF_0000])
    func otherMajorVersionsAreRefused(code: Int32) {
        let events = self.events([self.startup(code: code, [("user", "u")])])
        guard case .refuse("0A000", let message) = events.first, events.count == 1 else {
            Issue.record("\(events)")
            return
        }
        #expect(message.hasPrefix("unsupported frontend protocol"))
    }

    @Test func unknownExtensionsAreNamedInOrderInOneMessage() {
        let parameters = [("_pq_.z", "1"), ("user", "u"), ("_pq_.a", ""), ("_pq_.m", "3"), ("x_pq_.y", "4")]
        for (code, minor): (Int32, Int32) in [(196_608, 0), (196_610, 2), (206_607, 2)] {
            let expected = Event.login(
                user: "u",
                database: "u",
                version: "3.\(minor)",
                negotiation: self.negotiation(minor: minor, ["_pq_.z", "_pq_.a", "_pq_.m"])
            )
            #expect(self.events([self.startup(code: code, parameters)]) == [expected])
        }
    }

    // MARK: Parameters

    @Test func theUsersNameStandsInForTheDatabase() {
        let expected = Event.login(user: "u", database: "u", version: "3.0", negotiation: [])
        #expect(self.events([self.startup([("user", "u")])]) == [expected])
        #expect(self.events([self.startup([("user", "u"), ("database", "")])]) == [expected])
    }

    @Test func namesMayBeUTF8() {
        let expected = Event.login(user: "j\u{f6}rg", database: "\u{65e5}\u{672c}", version: "3.0", negotiation: [])
        #expect(self.events([self.startup([("user", "j\u{f6}rg"), ("database", "\u{65e5}\u{672c}")])]) == [expected])
    }

    @Test(arguments: [[], [("database", "d")], [("user", "")], [("user", "u"), ("user", "")], [("USER", "u")]])
    func aMissingUserIsRefused(parameters: [(String, String)]) {
        #expect(
            self.events([self.startup(parameters)])
                == [.refuse("28000", "no PostgreSQL user name specified in startup packet")]
        )
    }

    @Test(arguments: [[0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80]] as [[UInt8]])
    func invalidUTF8IsRefused(name: [UInt8]) {
        let value = self.startup(body: bytes("user\0") + name + [0, 0])
        #expect(self.events([value]) == [.refuse("22021", "text is not valid UTF-8")])
        let key = self.startup(body: bytes("user\0u\0") + name + [0x00, 0x31, 0, 0])
        #expect(self.events([key]) == [.refuse("22021", "text is not valid UTF-8")])
    }

    @Test func brokenLayoutsAreRefused() {
        let bodies: [[UInt8]] = [
            [], bytes("user"), bytes("user\0"), bytes("user\0u"), bytes("user\0u\0"), bytes("user\0\0"),
            bytes("user\0u\0\0x"), bytes("user\0u\0\0\0"),
        ]
        for body in bodies {
            let events = self.events([self.startup(body: body)])
            guard case .refuse(let state, _) = events.first, events.count == 1 else {
                Issue.record("\(body): \(events)")
                continue
            }
            #expect(state == "08P01" || state == "28000")
        }
    }

    @Test func aThousandParametersAreTaken() {
        let parameters = [("user", "u")] + (0..<1000).map { ("p\($0)", "") }
        let expected = Event.login(user: "u", database: "u", version: "3.0", negotiation: [])
        #expect(self.events([self.startup(parameters)]) == [expected])
    }

    // MARK: Hostile bytes

    @Test(arguments: [Int32.min, -1, 0, 1, 2, 3, 4, 5, 6, 7, 10_001, Int32.max, 0x1603_0100])
    func lengthsOutOfBoundsAreNotAnswered(length: Int32) {
        let packet = self.startup(body: bytes("user\0u\0\0"), length: length)
        for split in splits(of: packet, randomCount: 5) { #expect(self.events(split) == [.hangUp]) }
        // Known from the length alone.
        #expect(self.events([self.integer(length)]) == [.hangUp])
    }

    @Test func theLongestPacketIsTaken() {
        let head = bytes("user\0u\0x\0")
        let body = head + Array(repeating: 0x41, count: 10_000 - 8 - head.count - 2) + [0, 0]
        let packet = self.startup(body: body)
        #expect(packet.count == 10_000)
        let expected = Event.login(user: "u", database: "u", version: "3.0", negotiation: [])
        #expect(self.events([packet]) == [expected])
    }

    @Test func everySplitGivesTheSame() {
        let packet = self.startup(code: 206_607, [("user", "u"), ("database", "d"), ("_pq_.x", "1")])
        let expected = self.events([packet])
        #expect(expected.count == 1)
        for split in splits(of: packet) { #expect(self.events(split) == expected) }
        for request in [self.ssl, self.gss] {
            for split in splits(of: request) {
                #expect(self.events(split + [packet]) == [.reply("N")] + expected)
            }
        }
    }

    @Test func consumedNeverReachesBeyondThePacket() {
        var startup = ClientStartup()
        let packet = self.plainStartup
        let (consumed, step) = startup.receive((packet + bytes("more")).span)
        #expect(consumed == packet.count)
        #expect(self.event(step) == self.plainLogin)
    }

    @Test func mutatedPacketsNeverTrap() {
        let cancel = self.packet { $0.cancelRequest(processID: 1, secret: [1, 2, 3, 4]) }
        for packet in [self.plainStartup, cancel, self.ssl] {
            for mutation in mutations(of: packet) {
                let whole = self.events([mutation])
                #expect(whole.count <= 1 || whole.first == .reply("N"))
            }
        }
    }
}
