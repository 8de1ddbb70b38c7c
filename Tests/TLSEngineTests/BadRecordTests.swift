import Testing

@testable import TLSEngine

@Suite struct BadRecordTests {
    @Test(arguments: TLSVersion.allCases) func changedRecord(version: TLSVersion) throws {
        let pair = try Pair.connected(version)
        let good = pair.client.seal([1, 2, 3]).bytes
        var bad = pair.client.seal([4, 5, 6]).bytes
        bad[bad.count - 1] ^= 1
        let opened = pair.server.open(good + bad)
        #expect(opened.plain == [1, 2, 3])
        #expect(opened.state == .failed)
        #expect(!opened.replies.isEmpty)
        #expect(pair.server.failure?.reason == .protocolError)
        #expect(pair.server.failure?.text.contains("bad") == true)
        #expect(pair.server.open(good) == .init(plain: [], replies: [], state: .failed), "for good")
        #expect(pair.server.seal([1]) == .init(taken: -1, bytes: []))
        #expect(pair.server.close().isEmpty)
        #expect(pair.client.open(opened.replies).state == .failed)
        #expect(pair.client.failure?.reason == .peerAlert)
    }

    @Test(arguments: TLSVersion.allCases) func repeatedRecord(version: TLSVersion) throws {
        let pair = try Pair.connected(version)
        let sealed = pair.client.seal([1, 2, 3]).bytes
        #expect(pair.server.open(sealed + sealed).state == .failed)
    }

    @Test(arguments: TLSVersion.allCases) func oversizedRecord(version: TLSVersion) throws {
        let pair = try Pair.connected(version)
        #expect(pair.server.open([23, 3, 3, 0xff, 0xff] + Dice.bytes(0xffff)).state == .failed)
        #expect(pair.server.failure?.reason == .protocolError)
    }

    @Test(arguments: TLSVersion.allCases) func plaintextAmongRecords(version: TLSVersion) throws {
        let pair = try Pair.connected(version)
        #expect(pair.server.open(Array("Q\0\0\0\u{0d}select 1\0".utf8)).state == .failed)
        #expect(pair.server.failure?.reason == .protocolError)
    }

    /// What comes unsealed does not count, be it the beginning of a handshake.
    @Test(arguments: TLSVersion.allCases) func handshakeAmongRecords(version: TLSVersion) throws {
        let pair = try Pair.connected(version)
        var hello: [UInt8] = []
        let other = try TLSSession(connectingWith: Contexts.client(), host: nil, isDirect: false)
        _ = other.step([], &hello)
        #expect(pair.server.open(hello).state == .failed)
        #expect(pair.server.failure?.reason == .protocolError)
    }

    @Test func recordsBeforeTheHandshakeAreRefused() throws {
        let server = try TLSSession(accepting: Contexts.server())
        #expect(server.open([1, 2, 3]).state == .failed)
        #expect(server.failure?.reason == .internal)
        let other = try TLSSession(accepting: Contexts.server())
        #expect(other.seal([1]).taken == -1)
        let third = try TLSSession(accepting: Contexts.server())
        #expect(third.close().isEmpty)
        #expect(third.failure == nil)
    }

    @Test func missingRoomIsAFailure() throws {
        let pair = try Pair.connected()
        let sealed = pair.client.seal(Dice.bytes(1000)).bytes
        var plain = [UInt8](repeating: 0, count: 100)
        let opened = unsafe sealed.withUnsafeBytes { sealed in
            unsafe plain.withUnsafeMutableBytes { plain in
                unsafe pair.server.open(
                    sealed, into: plain, replies: UnsafeMutableRawBufferPointer(start: nil, count: 0))
            }
        }
        #expect(opened == TLSOpened(count: 100, replyCount: 0, state: .failed))
        #expect(pair.server.failure?.reason == .internal)
        let other = try Pair.connected()
        #expect(other.server.open([23, 3, 3, 0, 1, 0], replyRoom: 0).state == .failed, "the alert has no room")
        // The answer to a question for new keys goes first, and has room in every bound.
        let third = try Pair.connected()
        #expect(third.client.updateKeys(asksPeer: true))
        #expect(third.server.open(third.client.seal([1]).bytes).plain == [1])
        #expect(third.server.seal([2], room: TLSSession.sealedBound(1)).taken == 1)
    }

    @Test(arguments: [
        "GET / HTTP/1.0\r\n\r\n", "\0\0\0\u{08}\u{04}\u{d2}\u{16}\u{2f}", "SSH-2.0-OpenSSH_9.2\r\n",
        "PUT / HTTP/1.1\r\n\r\n", "EHLO example.com\r\n",
    ])
    func plaintextInsteadOfAHandshake(text: String) throws {
        let server = try TLSSession(accepting: Contexts.server())
        var output: [UInt8] = []
        guard case .failed(let failure) = server.step(text.unicodeScalars.map { UInt8($0.value) }, &output) else {
            Issue.record("accepted")
            return
        }
        #expect(failure.reason == .protocolError)
        #expect(server.failure == failure)
        #expect(server.step([1, 2, 3], &output) == .failed(failure), "for good")
    }

    @Test func alertInsteadOfAHandshake() throws {
        let alert: [UInt8] = [21, 3, 3, 0, 2, 2, 40]
        let server = try TLSSession(accepting: Contexts.server())
        var output: [UInt8] = []
        #expect(server.step(alert, &output) == .failed(.init(reason: .protocolError, text: "unexpected message")))
        let client = try TLSSession(connectingWith: Contexts.client(), host: nil, isDirect: false)
        #expect(client.step([], &output) == .needsInput)
        let text = "the peer sent an alert: sslv3 alert handshake failure"
        #expect(client.step(alert, &output) == .failed(.init(reason: .peerAlert, text: text)))
    }
}
