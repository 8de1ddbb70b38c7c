import Gateway
import Glibc
import Logging
import Reactor

/// The gateway as a process: started, then driven by signals. SIGHUP reloads; SIGTERM and SIGINT stop gracefully.
enum GatewayProcess {
    private static let signals = [SIGHUP, SIGTERM, SIGINT]

    static func blockSignals() { ProcessSignals.block(Self.signals) }

    /// Returns when the gateway has stopped. Call on the main thread.
    ///
    /// - Parameter reloadsOnHangup: whether SIGHUP reloads the settings; else it stops the gateway as well.
    static func run(source: SettingsSource, log: Logger, reloadsOnHangup: Bool = true) throws(GatewayStartError) {
        Self.blockSignals()
        let gateway = try Gateway(source: source, log: log)
        try gateway.start()
        while true {
            let signal = ProcessSignals.wait(for: Self.signals)
            if signal != SIGHUP || !reloadsOnHangup { break }
            do throws(GatewayStartError) {
                try gateway.reload()
            } catch {
                log.error("reload failed, the old settings stay", metadata: ["reason": .string(error.description)])
            }
        }
        gateway.stop()
    }
}
