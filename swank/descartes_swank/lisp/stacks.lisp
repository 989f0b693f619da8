;;;; The guard page at the end of a stack: a thread leaves it as it found it.
;;;;
;;;; SBCL before 2.5.8 gives the memory of an ended thread to the next one with its pages as they are. After
;;;; an exhausted stack from which nobody returned in the ordinary way the guard page lies open, the one
;;;; before it is closed, and the next thread that goes as deep ends the process.

(in-package "DESCARTES-BOOT")

(defvar *guard-offset*
  (let ((slot (find-symbol "THREAD-STATE-WORD-SLOT" "SB-VM")))
    (and slot (boundp slot)
         (sb-sys:find-foreign-symbol-address "reset_thread_control_stack_guard_page")
         (* (symbol-value slot) sb-vm:n-word-bytes)))
  "Where, in what SBCL keeps of a thread, it says whether the guard page is closed; nil when it does not.")

(defun guard-closed-p ()
  (= 1 (sb-sys:sap-ref-8 (sb-thread::current-thread-sap) *guard-offset*)))

(defun close-guard ()
  (sb-alien:alien-funcall
   (sb-alien:extern-alien "reset_thread_control_stack_guard_page"
                          (function sb-alien:void sb-sys:system-area-pointer))
   (sb-thread::current-thread-sap)))

(defun call-with-stack (function)
  "Call FUNCTION; a guard page that it found closed is closed again when it has unwound."
  (if (and *guard-offset* (guard-closed-p))
      (unwind-protect (funcall function)
        ;; Closed already it must not be: the runtime ends the process then.
        (unless (guard-closed-p) (close-guard)))
      (funcall function)))
