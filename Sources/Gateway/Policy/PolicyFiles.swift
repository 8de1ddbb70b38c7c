import HBA
enum PolicyFiles { static func interfaces() -> [HBAInterface] { [] } }
