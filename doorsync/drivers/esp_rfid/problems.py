"""What can go wrong at an esp-rfid reader, and at the broker between it and the portal."""

from django.utils.translation import gettext_lazy as _

from portal.core.problems import problem

# Options
BROKER_EXPECTED = problem(
    "esp_rfid.option.broker", _("it must be the address of a broker, such as mqtts://broker.example:8883")
)
NO_PORT_0 = problem("esp_rfid.option.port", _("the port must be 1 to 65535"))
TOPIC_EXPECTED = problem("esp_rfid.option.topic", _("it must be a topic without +, # and spaces, and not end with /"))
IP_EXPECTED = problem("esp_rfid.option.ip", _("it must be an IPv4 address"))
PEM_EXPECTED = problem("esp_rfid.option.pem", _("it is no certificate in PEM"))

# The broker
NOT_SECURE = problem("esp_rfid.not_secure", _("No secure connection to the broker: %(why)s."))
BROKER_NOT_REACHED = problem("esp_rfid.broker_not_reached", _("The broker was not reached: %(why)s."))
NO_CONNECTION_ANSWER = problem("esp_rfid.no_connection_answer", _("no answer"))
BROKER_SILENT = problem("esp_rfid.broker_silent", _("The broker did not answer in time."))
BROKER_REFUSED = problem("esp_rfid.broker_refused", _("The broker refused the portal: %(why)s."))
NOT_READABLE = problem("esp_rfid.not_readable", _("The broker does not let the portal read %(topic)s: %(why)s."))
NOT_WRITABLE = problem("esp_rfid.not_writable", _("The broker does not let the portal write %(topic)s: %(why)s."))
UNCONFIRMED = problem("esp_rfid.unconfirmed", _("The broker did not confirm in time that it passed the command on."))
NO_READER = problem("esp_rfid.no_reader", _("No reader listens on %(topic)s: it is off, or the topic is another."))
QOS_NOT_RAISED = problem(
    "esp_rfid.qos_not_raised", _("The broker must raise the QoS to the subscriber's (upgrade_outgoing_qos).")
)
KEPT_UNKNOWN = problem("esp_rfid.kept_unknown", _("The broker did not send in time the events that it keeps."))
NOT_MQTT = problem("esp_rfid.not_mqtt", _("What answers is no MQTT broker."))
LINE_BROKE = problem("esp_rfid.line_broke", _("The connection to the broker broke off: %(why)s."))
TOO_MANY_MESSAGES = problem("esp_rfid.too_many_messages", _("The reader sends more than %(n)d messages at once."))

# The reader

SWITCH_ON = problem(
    "esp_rfid.switch_on", _("switch Home Assistant on in its MQTT settings, and check that the topic is right.")
)
NO_DESCRIPTION = problem("esp_rfid.no_description", _("The reader publishes no description: %(how)s"))
NO_AVAILABILITY = problem("esp_rfid.no_availability", _("The reader publishes no availability: %(how)s"))
NOT_ESP_RFID = problem("esp_rfid.not_esp_rfid", _("What answers is no esp-rfid reader: its description does not fit."))
OLD_FIRMWARE = problem(
    "esp_rfid.old_firmware",
    _("The reader's firmware %(firmware)s knows no beginning of access: it must be 2.0 or later."),
)
OFFLINE = problem("esp_rfid.offline", _("The reader is off or has no network: the broker reports that it is offline."))
READER_SILENT = problem("esp_rfid.reader_silent", _("The reader did not answer in time. Is its address %(ip)s?"))
WENT_OFF = problem("esp_rfid.went_off", _("The reader went off before it answered."))
DROPPED = problem("esp_rfid.dropped", _("The reader dropped the command: %(why)s."))
ONE_DOOR = problem("esp_rfid.one_door", _("An esp-rfid reader has one door, number 1."))
CARD_NUMBER = problem("esp_rfid.card_number", _("The reader takes card numbers of at most %(n)d characters."))
NOT_LISTED = problem(
    "esp_rfid.not_listed",
    _("The reader took the card and does not list it: its memory is full, or its list cut short."),
)
LISTED_DIFFERENTLY = problem(
    "esp_rfid.listed_differently", _("The reader lists the card with other times than it was given.")
)
STILL_LISTED = problem("esp_rfid.still_listed", _("The reader confirmed that it deleted the card, and still lists it."))
TIME_SERVER = problem("esp_rfid.time_server", _("The reader takes its time from a time server."))
EVENTS_NOT_KEPT = problem("esp_rfid.events_not_kept", _("door events are not kept: %(why)s"))
