import Testing

@testable import Gateway

@Suite struct HandshakeOrderTests {
    /// In the order in which they are worked on.
    private static func all(of order: inout HandshakeOrder<String>) -> [String] {
        var found: [String] = []
        while let subject = order.popFirst() { found.append(subject) }
        return found
    }

    @Test func aServerDoesNotWaitForEveryClientThatCameBefore() {
        var order = HandshakeOrder<String>()
        for number in 1...100 { order.append("client \(number)", isOutgoing: false) }
        order.append("server", isOutgoing: true)
        let found = Self.all(of: &order)
        #expect(found.prefix(2).contains("server"))
        #expect(found.filter { $0 != "server" } == (1...100).map { "client \($0)" })
    }

    @Test func theyTakeTurnsWhileBothWait() {
        var order = HandshakeOrder<String>()
        for number in 1...2 { order.append("client \(number)", isOutgoing: false) }
        for number in 1...4 { order.append("server \(number)", isOutgoing: true) }
        let expected = ["server 1", "client 1", "server 2", "client 2", "server 3", "server 4"]
        #expect(Self.all(of: &order) == expected)
    }

    /// A server that always has something to work on keeps no client out.
    @Test func aClientWaitsForOneServerAtMost() {
        var order = HandshakeOrder<String>()
        order.append("server", isOutgoing: true)
        for _ in 0..<10 {
            order.append("server", isOutgoing: true)
            order.append("client", isOutgoing: false)
            let steps = [order.popFirst(), order.popFirst()].compactMap { $0 }
            #expect(steps.sorted() == ["client", "server"])
        }
    }

    @Test func itIsEmptyWhenBothAre() {
        var order = HandshakeOrder<Int>()
        #expect(order.isEmpty)
        #expect(order.popFirst() == nil)
        order.append(1, isOutgoing: true)
        #expect(!order.isEmpty)
        #expect(order.popFirst() == 1)
        order.append(2, isOutgoing: false)
        #expect(!order.isEmpty)
        #expect(order.popFirst() == 2)
        #expect(order.isEmpty)
        #expect(order.popFirst() == nil)
    }
}
