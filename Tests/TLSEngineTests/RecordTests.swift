import Testing

@testable import TLSEngine

@Suite struct RecordTests {
    // MARK: Both ways

    @Test(arguments: TLSVersion.allCases, [1, 100, 16383, 16384, 16385, 131_072, 1_000_000])
    func everySize(version: TLSVersion, count: Int) throws {
        let pair = try Pair.connected(version)
        let plain = Dice.bytes(count)
        let there = pair.client.seal(plain)
        #expect(there.taken == count)
        #expect(pair.server.open(there.bytes) == .init(plain: plain, replies: [], state: .goesOn))
        let back = pair.server.seal(plain)
        #expect(pair.client.open(back.bytes).plain == plain)
    }

    @Test(arguments: ["ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-CHACHA20-POLY1305"])
    func boundHoldsForEveryCipher(cipher: String) throws {
        let pair = try Pair.connected(.tls12, ciphers: cipher)
        for count in [0, 1, 511, 512, 4095, 16384, 16385, 100_000] {
            #expect(pair.server.seal(Dice.bytes(count)).taken == count)
        }
        #expect(pair.server.failure == nil)
    }

    @Test(arguments: TLSVersion.allCases) func manySmallOnesAtOnce(version: TLSVersion) throws {
        let pair = try Pair.connected(version)
        var sealed: [UInt8] = []
        for number in 0..<2000 { sealed += pair.client.seal([UInt8(number & 0xff)]).bytes }
        #expect(pair.server.open(sealed).plain == (0..<2000).map { UInt8($0 & 0xff) })
    }

    @Test(arguments: TLSVersion.allCases, [1, 3, 1000]) func piecesOfRecords(version: TLSVersion, step: Int) throws {
        let pair = try Pair.connected(version)
        let plain = Dice.bytes(40_000 / (step == 1 ? 10 : 1))
        var (sealed, opened): ([UInt8], [UInt8]) = (pair.client.seal(plain).bytes, [])
        while !sealed.isEmpty {
            let part = pair.server.open(Pair.take(&sealed, step))
            #expect(part.state == .goesOn)
            opened += part.plain
        }
        #expect(opened == plain)
    }

    @Test func nothingIsFine() throws {
        let pair = try Pair.connected()
        #expect(pair.server.seal([]) == .init(taken: 0, bytes: []))
        #expect(pair.server.open([]) == .init(plain: [], replies: [], state: .goesOn))
    }

    @Test func smallRoomTakesWhatFits() throws {
        let pair = try Pair.connected()
        let plain = Dice.bytes(50_000)
        var (rest, opened): ([UInt8], [UInt8]) = (plain, [])
        while !rest.isEmpty {
            let sealed = pair.client.seal(rest, room: 20_000)
            try #require(sealed.taken > 0)
            rest.removeFirst(sealed.taken)
            opened += pair.server.open(sealed.bytes).plain
        }
        #expect(opened == plain)
        #expect(pair.client.seal(plain, room: 0) == .init(taken: 0, bytes: []))
        #expect(pair.client.seal(plain, room: 300) == .init(taken: 0, bytes: []))
    }

    /// RFC 6066: a client may ask for records as small as 512 bytes; the bound is enough for those too.
    @Test func smallRecordsFitTheBound() throws {
        let record = TLSSession.sealedBound(100_000) - 100_000
        #expect(record > 100_000 / 512 * 85)
    }

    @Test func dataBehindTheHandshakeIsKept() throws {
        let (server, client) = try (
            TLSSession(accepting: Contexts.server()),
            TLSSession(connectingWith: Contexts.client(), host: nil, isDirect: false)
        )
        var (toServer, toClient): ([UInt8], [UInt8]) = ([], [])
        #expect(client.step([], &toServer) == .needsInput)
        #expect(server.step(toServer, &toClient) == .needsInput)
        toServer = []
        #expect(client.step(toClient, &toServer) == .done)
        let plain = Dice.bytes(40_000)
        toServer += client.seal(plain).bytes
        // The end of the last record comes later.
        let late = Array(toServer.suffix(10))
        var none: [UInt8] = []
        #expect(server.step(Array(toServer.dropLast(10)), &none) == .done)
        let kept = server.open([])
        #expect(kept.plain.count >= 32_000)
        #expect(kept.plain + server.open(late).plain == plain)
    }

    @Test func bytesGivenToAHandshakeThatIsDoneAreKeptToo() throws {
        let pair = try Pair.connected()
        var none: [UInt8] = []
        #expect(pair.server.step(pair.client.seal([1, 2]).bytes, &none) == .done)
        #expect(pair.server.step(pair.client.seal([3]).bytes, &none) == .done)
        #expect(pair.server.open(pair.client.seal([4]).bytes).plain == [1, 2, 3, 4])
        #expect(none.isEmpty)
    }

    @Test func floodBehindTheHandshakeIsRefused() throws {
        let pair = try Pair.connected()
        var none: [UInt8] = []
        #expect(pair.server.step(pair.client.seal(Dice.bytes(60_000)).bytes, &none) == .done)
        let step = pair.server.step(pair.client.seal(Dice.bytes(10_000)).bytes, &none)
        #expect(step == .failed(.init(reason: .protocolError, text: "too many bytes behind the handshake")))
    }

    // MARK: Keys and ends

    @Test func newKeysAreFollowedAndAnswered() throws {
        let pair = try Pair.connected()
        #expect(pair.client.updateKeys(asksPeer: true))
        let first = pair.client.seal([1])
        #expect(pair.server.open(first.bytes).plain == [1])
        // The answer goes before the next record.
        let answer = pair.server.seal([2])
        #expect(answer.bytes.count > pair.server.seal([2]).bytes.count)
        #expect(pair.client.open(answer.bytes).plain == [2])
        for number in UInt8(0)..<50 {
            #expect(pair.client.updateKeys(asksPeer: number.isMultiple(of: 2)))
            #expect(pair.server.open(pair.client.seal([number]).bytes).plain == [number])
        }
        #expect(pair.server.seal(Dice.bytes(100_000)).taken == 100_000)
    }

    /// Each costs the server new keys, and 27 bytes of the client's.
    @Test func floodOfNewKeysIsRefused() throws {
        let pair = try Pair.connected()
        let most = (0..<32).flatMap { _ in pair.client.newKeys() }
        #expect(most.count == 32 * 27)
        #expect(pair.server.open(most) == .init(plain: [], replies: [], state: .goesOn))
        #expect(pair.server.open(pair.client.seal([1]).bytes).plain == [1])
        let tooMany = (0..<33).flatMap { _ in pair.client.newKeys() } + pair.client.seal([2]).bytes
        #expect(pair.server.open(tooMany) == .init(plain: [], replies: [], state: .failed))
        #expect(pair.server.failure == .init(reason: .protocolError, text: "too many key updates or tickets"))
        #expect(pair.server.open(pair.client.seal([3]).bytes).state == .failed, "for good")
    }

    @Test func floodOfNewKeysInManyCallsIsRefused() throws {
        let pair = try Pair.connected()
        for _ in 0..<32 { #expect(pair.server.open(pair.client.newKeys()).state == .goesOn) }
        #expect(pair.server.open(pair.client.newKeys()).state == .failed)
        #expect(pair.server.failure?.text == "too many key updates or tickets")
    }

    @Test func oneByteBetweenDoesNotExcuseAFloodOfNewKeys() throws {
        let pair = try Pair.connected()
        var sealed: [UInt8] = []
        for number in UInt8(0)..<3 {
            for _ in 0..<20 { sealed += pair.client.newKeys() }
            sealed += pair.client.seal([number]).bytes
        }
        #expect(pair.server.open(sealed) == .init(plain: [0], replies: [], state: .failed))
        #expect(pair.server.failure?.text == "too many key updates or tickets")
    }

    @Test func newKeysWithDataBetweenAreNoFlood() throws {
        let pair = try Pair.connected()
        for number in UInt8(0)..<50 {
            let sealed = (0..<20).flatMap { _ in pair.client.newKeys() } + pair.client.seal([number]).bytes
            #expect(pair.server.open(sealed) == .init(plain: [number], replies: [], state: .goesOn))
        }
    }

    @Test func keysChangeByThemselves() throws {
        let pair = try Pair.connected()
        let plain = pair.client.seal([1]).bytes
        pair.client.setRecordsMax(3)
        var changes = 0
        #expect(pair.server.open(plain).plain == [1])
        for number in UInt8(0)..<40 {
            let sealed = pair.client.seal([number])
            if sealed.bytes.count > plain.count { changes += 1 }
            #expect(pair.server.open(sealed.bytes).plain == [number])
        }
        #expect(changes == 10)
        pair.server.setRecordsMax(3)
        #expect(pair.client.open(pair.server.seal(Dice.bytes(300_000)).bytes).plain == Dice.bytes(300_000))
    }

    /// Whether more has to come is known at every byte, also behind a header alone.
    @Test(arguments: TLSVersion.allCases) func withinARecord(version: TLSVersion) throws {
        let pair = try Pair.connected(version)
        let sealed = pair.client.seal([1, 2, 3]).bytes
        #expect(!pair.server.isWithinRecord)
        for (position, byte) in sealed.enumerated() {
            #expect(pair.server.open([byte]).state == .goesOn)
            #expect(pair.server.isWithinRecord == (position < sealed.count - 1), "behind byte \(position)")
        }
    }

    @Test func keysOfTLS12Stay() throws {
        let pair = try Pair.connected(.tls12)
        #expect(!pair.client.updateKeys(asksPeer: true))
        pair.client.setRecordsMax(1)
        for number in UInt8(0)..<5 { #expect(pair.server.open(pair.client.seal([number]).bytes).plain == [number]) }
        #expect(pair.server.open(pair.client.seal([1]).bytes).plain == [1])
    }

    @Test(arguments: TLSVersion.allCases) func closeNotify(version: TLSVersion) throws {
        let pair = try Pair.connected(version)
        let last = pair.client.seal([1, 2, 3]).bytes + pair.client.close()
        let opened = pair.server.open(last)
        #expect(opened.plain == [1, 2, 3])
        #expect(opened.state == .closed)
        #expect(pair.server.open([]).state == .closed)
        #expect(pair.server.failure == nil)
        #expect(pair.client.seal([4]).taken == -1, "nothing goes behind the end")
        let end = pair.server.close()
        #expect(!end.isEmpty)
        #expect(pair.server.close().isEmpty, "once")
    }

    @Test func bytesBehindTheEndAreIgnored() throws {
        let pair = try Pair.connected()
        #expect(pair.server.open(pair.client.close() + [1, 2, 3]).state == .closed)
    }
}
