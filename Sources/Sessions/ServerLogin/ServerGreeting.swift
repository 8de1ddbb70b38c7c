package import PGWire

/// What a server told about itself during a login that succeeded.
///
/// Immutable; the cancel secret takes part in no description.
package struct ServerGreeting: Sendable {
    /// ParameterStatus values in the order of their first appearance; the last value of a name counts.
    package let parameters: [(name: String, value: String)]
    /// Zero when the server sent no BackendKeyData: such a session cannot be cancelled.
    package let processID: Int32
    /// Four bytes in protocol 3.0, up to 256 in 3.2; empty when the server sent none.
    package let secret: [UInt8]
    package let status: TransactionStatus
    /// The version the session speaks: ours, or the older one the server settled on.
    package let version: ProtocolVersion
    /// The keys used for SCRAM; handed to the next login they save the derivation from a password.
    package let scramKeys: SCRAMKeys?
}

extension ServerGreeting: CustomStringConvertible, CustomReflectable {
    package var description: String {
        "ServerGreeting(processID: \(self.processID), protocol: \(self.version), \(self.parameters.count) parameters)"
    }

    package var customMirror: Mirror {
        Mirror(self, children: ["processID": self.processID, "version": self.version, "status": self.status])
    }
}

/// What the driver of a server login does next.
package enum ServerLoginStep: Sendable {
    /// Read on.
    case wait
    /// Write these bytes, then read on.
    case send([UInt8])
    /// The session stands; the machine is finished.
    case ready(ServerGreeting)
    /// Close the connection; the machine is finished.
    case failed(ServerLoginFailure)
}

/// Limits on what a server may send before it is ready.
package struct ServerLoginLimits: Sendable {
    /// ParameterStatus messages with different names; PostgreSQL 18 sends about 20.
    package var parametersMax = 256
    /// Bytes of all parameter names and values kept.
    package var parameterBytesMax = 65_536
    /// Messages of any kind, notices included.
    package var messagesMax = 2_000
    /// Rounds of PBKDF2 the server can ask for when the credential is a password; 4096 take about five
    /// milliseconds.
    package var iterationsMax = 1_000_000

    package init() {}
}
