import PGWire
@testable import Sessions
import Testing

@Suite struct StartupMemoryTests {
    private func packet(_ user: String, _ more: String = "") -> [UInt8] {
        var body: [UInt8] = [0, 3, 0, 0] + bytes("user\0\(user)\0") + bytes(more) + [0]
        let length = UInt32(body.count + 4)
        for shift in [0, 8, 16, 24] as [UInt32] { body.insert(UInt8(truncatingIfNeeded: length >> shift), at: 0) }
        return body
    }

    private func learn(_ packet: [UInt8], _ memory: inout StartupMemory) throws {
        var startup = ClientStartup()
        let (consumed, step) = startup.receive(packet.span)
        guard case .login(let login) = step else { return }
        #expect(consumed == packet.count)
        memory.remember(packet.span, login, try SessionParameters.parse(login.message.parameters))
    }

    /// The macros of the tests cannot take a span.
    private func recall(
        _ packet: [UInt8],
        _ memory: StartupMemory
    ) -> (login: ClientStartup.Login, parameters: SessionParameters)? {
        memory.recall(packet.span)
    }

    @Test func recallsWhatWasUnderstood() throws {
        var memory = StartupMemory()
        let known = self.packet("ann", "database\0shop\0TimeZone\0UTC\0")
        #expect(self.recall(known, memory) == nil)
        try self.learn(known, &memory)
        let found = try #require(self.recall(known, memory))
        #expect(found.login.user == "ann" && found.login.database == "shop")
        #expect(found.parameters.entries == [SessionParameters.Entry(name: "TimeZone", value: "UTC")])
    }

    /// One byte more, less or other makes another packet.
    @Test func onlyTheSameBytesAreTheSame() throws {
        var memory = StartupMemory()
        let known = self.packet("ann")
        try self.learn(known, &memory)
        #expect(self.recall(Array(known.dropLast()), memory) == nil)
        #expect(self.recall(known + [0], memory) == nil)
        #expect(self.recall([], memory) == nil)
        for index in known.indices {
            var other = known
            other[index] ^= 0x20
            #expect(self.recall(other, memory) == nil)
        }
    }

    @Test func forgetsTheOldest() throws {
        var memory = StartupMemory()
        let packets = (0...StartupMemory.countMax).map { self.packet("user\($0)") }
        for packet in packets { try self.learn(packet, &memory) }
        #expect(self.recall(packets[0], memory) == nil)
        for packet in packets.dropFirst() { #expect(self.recall(packet, memory) != nil) }
    }

    @Test func longPacketsAreNotKept() throws {
        var memory = StartupMemory()
        let long = self.packet("ann", "application_name\0" + String(repeating: "x", count: 600) + "\0")
        try self.learn(long, &memory)
        #expect(self.recall(long, memory) == nil)
    }
}
