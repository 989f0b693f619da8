(defsystem "fiasco" :components ((:file "fiasco")))
