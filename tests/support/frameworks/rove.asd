(defsystem "rove" :components ((:file "rove")))
