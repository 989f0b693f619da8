(defsystem "parachute" :components ((:file "parachute")))
