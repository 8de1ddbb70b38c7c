/// What the relay needs of a statement.
extension PreparedStatement {
    /// All names of ours on servers begin so.
    static let namePrefix = Array("pggateway_".utf8)

    /// The name of the statement with this id on servers.
    static func serverName(_ id: StatementID) -> [UInt8] {
        var digits: [UInt8] = []
        var rest = id
        repeat {
            digits.append(0x30 &+ UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        return self.namePrefix + digits.reversed()
    }

    /// Appends the Parse that prepares it under `name`, which has no zero byte.
    func appendParse(named name: [UInt8], to out: inout [UInt8]) {
        let text = self.text
        let length = UInt32(clamping: name.count + text.count + self.parameterTypes.count + 6)
        out.append(0x50)
        for shift in [24, 16, 8, 0] as [UInt32] { out.append(UInt8(truncatingIfNeeded: length >> shift)) }
        out.append(contentsOf: name)
        out.append(0)
        out.append(contentsOf: text)
        out.append(0)
        out.append(contentsOf: self.parameterTypes)
    }

    /// The body of a Parse behind its name is that of this statement.
    func isSame(tail: borrowing Span<UInt8>, planner: PlannerSettings?) -> Bool {
        let end = tail.count &- self.parameterTypes.count
        let text = self.text
        return end == text.count &+ 1 && tail[text.count] == 0
            && SpanBytes.equal(tail, 0..<text.count, text)
            && SpanBytes.equal(tail, end..<tail.count, self.parameterTypes)
            && PlannerSettings.equal(self.planner, planner)
    }

    /// The name in a `DEALLOCATE name`.
    var deallocatedName: [UInt8]? {
        let text = self.text
        return SQLScan(text.span, 0..<text.count).deallocated.first
    }
}

/// How a look-up of a statement ends.
package enum StatementLookup: Sendable {
    case found(PreparedStatement)
    /// The message is not a Parse.
    case malformed
    /// No memory is left for another text.
    case exhausted
}
