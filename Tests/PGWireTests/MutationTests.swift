import PGWire
import Testing

/// Random changes to good messages: whatever comes in, a parser returns or throws.
@Suite("Mutated messages")
struct MutationTests {
    func mutated(_ bytes: [UInt8], using generator: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            let index = Int.random(in: bytes.indices, using: &generator)
            switch Int.random(in: 0...2, using: &generator) {
            case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
            default: bytes = bytes.count > 1 ? Array(bytes.prefix(index + 1)) : bytes
            }
        }
        return bytes
    }

    @Test func reportFieldsAreReadOrRefused() throws {
        var generator = SeededGenerator(state: 42)
        var accepted = 0
        for _ in 0..<5_000 {
            let body = self.mutated(ServerMessageFieldsTests.body, using: &generator)
            var fields: ServerMessageFields?
            _ = wireError { () throws(WireError) in fields = try ServerMessageFields.decode(body: body) }
            guard let fields else { continue }
            accepted += 1
            // What was read is written so that it reads the same.
            let message = written { $0.errorResponse(fields) }
            #expect(try ServerMessageFields.decode(body: Array(message.dropFirst(5))) == fields)
        }
        #expect(accepted > 0 && accepted < 5_000)
    }

    @Test func assemblersDeliverTheSameForEverySplit() {
        var generator = SeededGenerator(state: 43)
        let stream = written {
            $0.parse(name: "s", query: "select 1")
            $0.bind(portal: "", statement: "s", parameters: [[1, 2, 3], nil])
            $0.execute(portal: "")
            $0.sync()
        }
        for _ in 0..<2_000 {
            let bytes = self.mutated(stream, using: &generator)
            let split = Int.random(in: 0...bytes.count, using: &generator)
            let whole = self.assembled([bytes])
            let parts = self.assembled([Array(bytes.prefix(split)), Array(bytes.dropFirst(split))])
            #expect(whole.messages == parts.messages)
            #expect(whole.error == parts.error)
        }
    }

    private func assembled(_ reads: [[UInt8]]) -> (messages: [WireMessage], error: WireError?) {
        var assembler = MessageAssembler(maximumBodyLength: 64)
        var messages: [WireMessage] = []
        var error: WireError?
        for read in reads {
            assembler.append(read.span)
            error = wireError { () throws(WireError) in
                while let message = try assembler.next() {
                    messages.append(message)
                }
            }
        }
        return (messages, error)
    }
}
