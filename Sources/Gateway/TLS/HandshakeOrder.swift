import DequeModule

/// Whose step is next. Handshakes with servers and handshakes with clients take turns while both have something to work
/// on, each kind in the order it came: servers are few at a time and clients wait for them, so a server's step waits
/// for about as many others as servers are being opened, however many clients come at once; and clients, of whom there
/// may be thousands, go on being admitted whatever servers do.
struct HandshakeOrder<Subject> {
    private var outgoing: Deque<Subject> = []
    private var incoming: Deque<Subject> = []
    /// The step before was one with a server.
    private var isClientsTurn = false

    var isEmpty: Bool { self.outgoing.isEmpty && self.incoming.isEmpty }

    /// - Parameter isOutgoing: the handshake is one with a server.
    mutating func append(_ subject: Subject, isOutgoing: Bool) {
        if isOutgoing {
            self.outgoing.append(subject)
        } else {
            self.incoming.append(subject)
        }
    }

    mutating func popFirst() -> Subject? {
        let isClients = self.outgoing.isEmpty || self.isClientsTurn && !self.incoming.isEmpty
        self.isClientsTurn = !isClients
        return isClients ? self.incoming.popFirst() : self.outgoing.popFirst()
    }
}
