import CSignals
import Gateway
import Glibc
import Logging
import Reactor

/// The gateway as a process: started, then driven by signals. SIGHUP reloads; SIGTERM and SIGINT stop gracefully;
/// SIGUSR1 and SIGUSR2 do nothing, so that what other poolers do on them does not end this one.
///
/// They are held from the first moment of the process (`CSignals`): what comes while it starts takes effect when it
/// has started.
enum GatewayProcess {
    /// Those that `CSignals` holds.
    private static let signals = [SIGHUP, SIGTERM, SIGINT, SIGUSR1, SIGUSR2]

    static func blockSignals() {
        ProcessSignals.block(Self.signals)
        cs_spare_children()
    }

    /// For commands that do not run the gateway: signals end them, as they end any program.
    static func releaseSignals() { cs_release_signals() }

    /// Returns when the gateway has stopped. Call on the main thread.
    ///
    /// - Parameter reloadsOnHangup: whether SIGHUP reloads the settings; else it stops the gateway as well.
    static func run(source: SettingsSource, log: Logger, reloadsOnHangup: Bool = true) throws(GatewayStartError) {
        Self.blockSignals()
        let gateway = try Gateway(source: source, log: log)
        try gateway.start()
        wait: while true {
            switch ProcessSignals.wait(for: Self.signals) {
            case SIGUSR1, SIGUSR2:
                log.warning("SIGUSR1 and SIGUSR2 have no meaning here")
            case SIGHUP where reloadsOnHangup:
                gateway.reloadOnHangup()
            default:
                break wait
            }
        }
        gateway.stop()
    }
}
